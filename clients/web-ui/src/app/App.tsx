import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClientProvider, type QueryClient } from "@tanstack/react-query";
import { lazy } from "react";
import { BrowserRouter, Navigate, Route, Routes } from "react-router";
import { NotFound } from "./NotFound";
import { PageGuard } from "./PageGuard";
import { Shell } from "./Shell";

// Each page is a file of its own, fetched when it is first visited.
const DemoPage = lazy(() => import("../demo/DemoPage"));
const ServicesPage = lazy(() => import("../services/ServicesPage"));
const DevOpsPage = lazy(() => import("../devops/DevOpsPage"));
const KubernetesPage = lazy(() => import("../kubernetes/KubernetesPage"));

/** The whole application. */
export function App({ client }: { client: QueryClient }) {
  return (
    // The content security policy of the gateway allows no inline style elements.
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={client}>
        <BrowserRouter>
          <Pages />
        </BrowserRouter>
      </QueryClientProvider>
    </CSPProvider>
  );
}

/** The pages and their addresses, without a router of their own. */
export function Pages() {
  return (
    <Routes>
      <Route element={<Shell />}>
        <Route index element={<Navigate to="/demo" replace />} />
        <Route element={<PageGuard />}>
          <Route path="demo" element={<DemoPage />} />
          <Route path="services/:name?" element={<ServicesPage />} />
          <Route path="devops" element={<DevOpsPage />} />
          <Route path="kubernetes" element={<KubernetesPage />} />
          <Route path="kubernetes/pods/:namespace/:name" element={<KubernetesPage />} />
          <Route path="kubernetes/nodes/:node" element={<KubernetesPage />} />
        </Route>
        <Route path="*" element={<NotFound />} />
      </Route>
    </Routes>
  );
}
