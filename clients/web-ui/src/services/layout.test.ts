import { expect, test } from "vitest";

import { catalogue } from "./fixtures";
import { layout, type Direction, type Layout } from "./layout";
import type { ServiceConnection } from "./types";

const names = catalogue.nodes.map(({ name }) => name);
const at = ({ nodes }: Layout, name: string) => nodes.find((node) => node.name === name)!;

test("[US-01] a service stands behind those that call it, whichever way the layers run", () => {
  for (const [direction, key] of [["right", "x"], ["down", "y"]] as const) {
    const drawn = layout(names, catalogue.connections, { direction, width: 1000 });
    for (const { from, to } of catalogue.connections) expect(at(drawn, from)[key]).toBeLessThan(at(drawn, to)[key]);
  }
});

test("[US-01] [defect-10] the map is laid out from the catalogue: another catalogue gives another map", () => {
  const room = { direction: "right", width: 900 } as const;
  const other = layout(["a", "b", "c"], [{ from: "a", to: "c", type: "http" }], room);
  expect(other.nodes.map(({ name }) => name)).toEqual(["a", "b", "c"]);
  expect(at(other, "a").x).toBe(at(other, "b").x);
  expect(at(other, "c").x).toBeGreaterThan(at(other, "a").x);
});

test("[US-01] the map is the same whatever order the connections come in", () => {
  const room = { direction: "right", width: 1100 } as const;
  expect(layout(names, [...catalogue.connections].reverse(), room)).toEqual(layout(names, catalogue.connections, room));
});

test("[US-01] no two services stand on each other, and all stand within the map, on a telephone and on a wall", () => {
  for (const [direction, width] of [["down", 320], ["down", 600], ["right", 700], ["right", 3000]] as [Direction, number][]) {
    const drawn = layout(names, catalogue.connections, { direction, width });
    for (const a of drawn.nodes) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.x + a.width).toBeLessThanOrEqual(drawn.width);
      expect(a.y + a.height).toBeLessThanOrEqual(drawn.height);
      for (const b of drawn.nodes) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        expect(a === b || apart).toBe(true);
      }
    }
  }
});

test("[US-01] the map of the five services fits a telephone without scrolling sideways", () => {
  expect(layout(names, catalogue.connections, { direction: "down", width: 320 }).width).toBe(320);
});

test("a circle of services is drawn, each edge once and to where it leads", () => {
  const circle: ServiceConnection[] = [
    { from: "a", to: "b", type: "http" },
    { from: "b", to: "c", type: "http" },
    { from: "c", to: "a", type: "redis" },
  ];
  const drawn = layout(["a", "b", "c"], circle, { direction: "right", width: 900 });
  expect(drawn.edges.map(({ from, to }) => `${from} ${to}`)).toEqual(["a b", "b c", "c a"]);
  expect(at(drawn, "a").x).toBeLessThan(at(drawn, "c").x);
  const back = drawn.edges[2]!.path.match(/-?[\d.]+/g)!.map(Number);
  expect(back[0]).toBe(at(drawn, "c").x);
  expect(back.at(-2)).toBe(at(drawn, "a").x + at(drawn, "a").width);
});

test("what a map cannot draw is left out: a service that is not there, an edge to itself, an edge said twice", () => {
  const odd: ServiceConnection[] = [
    { from: "a", to: "b", type: "http" },
    { from: "a", to: "b", type: "http" },
    { from: "a", to: "a", type: "http" },
    { from: "a", to: "nowhere", type: "http" },
  ];
  expect(layout(["a", "b"], odd, { direction: "right", width: 500 }).edges).toHaveLength(1);
});

test("an empty catalogue and a single service are laid out too", () => {
  expect(layout([], [], { direction: "right", width: 500 }).nodes).toEqual([]);
  expect(layout(["a"], [], { direction: "down", width: 320 }).nodes).toHaveLength(1);
});
