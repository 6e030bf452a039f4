import "@testing-library/jest-dom/vitest";
import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

afterEach(cleanup);

// jsdom has neither layout nor media queries.
Object.defineProperty(window, "matchMedia", {
  writable: true,
  value: (media: string) => ({ matches: false, media, addEventListener: vi.fn(), removeEventListener: vi.fn() }),
});
