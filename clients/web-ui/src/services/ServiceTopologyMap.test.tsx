import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter, useLocation } from "react-router";
import { expect, test } from "vitest";

import { catalogue, health } from "./fixtures";
import { ServiceTopologyMap } from "./ServiceTopologyMap";
import type { ServiceHealth } from "./types";

const { nodes, connections } = catalogue;
const five = nodes.map(({ name }) => health(name));

function Map({ services = five }: { services?: readonly ServiceHealth[] }) {
  return (
    <>
      <ServiceTopologyMap
        // Each answer is a new object.
        nodes={structuredClone(nodes)}
        connections={structuredClone(connections)}
        services={services}
        hrefOf={(name) => `/services/${name}`}
      />
      <output>{useLocation().pathname}</output>
    </>
  );
}

const draw = (services?: readonly ServiceHealth[]) =>
  render(<Map {...(services ? { services } : {})} />, { wrapper: MemoryRouter });
const places = () => screen.getAllByRole("link").map((link) => link.parentElement!.getAttribute("style"));

test("[US-01] the five services are there, each with its status in words and with a glyph of its own", () => {
  draw([
    health("hitl-ui"),
    health("orchestrator", { status: "degraded" }),
    health("workers", { status: "unhealthy" }),
    health("redis"),
  ]);
  const shape = (name: string) => screen.getByRole("link", { name: new RegExp(name) }).querySelector("svg")!.dataset["shape"];
  expect(screen.getAllByRole("link")).toHaveLength(5);
  expect(screen.getByRole("link", { name: /Orchestrator/ })).toHaveTextContent("degraded");
  expect(screen.getByRole("link", { name: /Elasticsearch/ })).toHaveTextContent("no figures");
  expect(new Set(["HITL UI", "Orchestrator", "Workers", "Elasticsearch"].map(shape)).size).toBe(4);
});

test("[US-01] every connection is drawn by its kind and told in words", () => {
  const { container } = draw();
  const kinds = [...container.querySelectorAll<SVGPathElement>("[data-edge]")].map((edge) => edge.dataset["type"]).sort();
  expect(kinds).toEqual(["elasticsearch", "elasticsearch", "http", "http", "redis", "redis"]);
  const told = within(screen.getByRole("list", { name: "Connections" }));
  expect(told.getByText("HITL UI calls Orchestrator over HTTP")).toBeInTheDocument();
  expect(told.getAllByRole("listitem")).toHaveLength(6);
});

test("[US-01] new figures in another order do not move anything", () => {
  const { rerender } = draw();
  const before = places();
  rerender(<Map services={[...five].reverse().map((service) => ({ ...service, cpuPercent: 99, status: "unhealthy" }))} />);
  expect(places()).toEqual(before);
});

test("[US-01] a click leads to the details of a service", async () => {
  const user = userEvent.setup();
  draw();
  await user.click(screen.getByRole("link", { name: /Redis/ }));
  expect(screen.getByRole("status")).toHaveTextContent("/services/redis");
});

test("[US-01] [defect-10] the keyboard reaches every service, by Tab and by arrows, and Enter opens one", async () => {
  const user = userEvent.setup();
  draw();
  await user.tab();
  expect(screen.getByRole("link", { name: /HITL UI/ })).toHaveFocus();
  await user.keyboard("{ArrowRight}");
  expect(screen.getByRole("link", { name: /Orchestrator/ })).toHaveFocus();
  await user.keyboard("{ArrowRight}{ArrowRight}");
  expect(document.activeElement).toHaveTextContent(/Redis|Elasticsearch/);
  await user.keyboard("{Enter}");
  expect(screen.getByRole("status").textContent).toMatch(/^\/services\/(redis|elasticsearch)$/);
});
