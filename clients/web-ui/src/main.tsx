import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { newQueryClient } from "./app/query";
import { adoptFragment } from "./shared/session";
import "./styles/theme.css";
import "./styles/base.css";
import "./shared/shared.css";
import "./app/main.css";

adoptFragment();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App client={newQueryClient()} />
    </StrictMode>,
  );
}
