import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The gateway to which `npm run dev` forwards what is not the application itself.
const gateway = process.env["OPERATOR_WEB"] ?? "http://127.0.0.1:8970";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../operator_clients/web/static",
    emptyOutDir: true,
    target: "es2022",
    // Data URLs would need a wider content security policy.
    assetsInlineLimit: 0,
    sourcemap: false,
  },
  server: { host: "127.0.0.1", proxy: { "/api": { target: gateway, changeOrigin: true } } },
  preview: { host: "127.0.0.1", proxy: { "/api": { target: gateway, changeOrigin: true } } },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test/setup.ts"],
    pool: "threads",
    maxWorkers: 2,
    // A jsdom and a React for each file took half of the time. The files pass in any order.
    isolate: false,
    testTimeout: 30_000,
    restoreMocks: true,
  },
});
