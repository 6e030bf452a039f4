/**
 * Where the services and their connections stand on the map: a layered layout (Sugiyama's four steps, in little).
 *
 * The picture depends on the catalogue and on the room alone, never on a figure or on the order an answer came in. So a
 * map does not jump when it is refreshed, and two people who look at the same catalogue see the same map.
 *
 * 1. Turn edges that would close a cycle. 2. Give each service the layer of its longest way from a source. 3. Put a
 * bend into each layer that a long edge passes, and order the layers so that few edges cross. 4. Place.
 */
import type { ConnectionType } from "./types";

export interface Connection {
  readonly from: string;
  readonly to: string;
  readonly type: ConnectionType;
}

/** Along which axis the layers follow each other: to the right on a wide page, downwards on a narrow one. */
export type Direction = "right" | "down";

export interface Room {
  readonly direction: Direction;
  /** px there are from left to right, at a root font of 16 px; a map that needs more scrolls. */
  readonly width: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedNode extends Point {
  readonly name: string;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge extends Connection {
  readonly path: string;
  readonly label: Point;
}

export interface Layout {
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly width: number;
  readonly height: number;
}

const NODE_HEIGHT = 78;
const NODE_WIDTH = 188;
const NODE_WIDTH_MIN = 132;
const BEND_SIZE = 28;
const LAYER_GAP = { right: { least: 92, most: 260 }, down: { least: 80, most: 80 } } as const;
const NODE_GAP = { right: 26, down: 20 } as const;
const MARGIN = 6;
const PORT_STEP = 18;
const LABEL_HEIGHT = 22;
const LABEL_WIDTH: Readonly<Record<ConnectionType, number>> = { http: 44, redis: 50, elasticsearch: 96 };
/** Sweeps of the barycentre heuristic; it settles after a few on graphs of this size. */
const SWEEPS = 8;

interface Vertex {
  readonly id: string;
  /** undefined for a bend of a long edge */
  readonly name?: string;
  readonly layer: number;
}

interface Route {
  readonly connection: Connection;
  /** the vertices it passes, by ascending layer */
  readonly chain: readonly string[];
  readonly turned: boolean;
}

/** The connections that a map can draw: between two services of the catalogue, not from one to itself, each once. */
function drawable(names: readonly string[], connections: readonly Connection[]): Connection[] {
  const known = new Set(names);
  const seen = new Set<string>();
  const rank = new Map(names.map((name, index) => [name, index]));
  return connections
    .filter(({ from, to, type }) => {
      const key = `${from}\n${to}\n${type}`;
      const fine = known.has(from) && known.has(to) && from !== to && !seen.has(key);
      seen.add(key);
      return fine;
    })
    .sort(
      (a, b) =>
        (rank.get(a.from) ?? 0) - (rank.get(b.from) ?? 0) ||
        (rank.get(a.to) ?? 0) - (rank.get(b.to) ?? 0) ||
        a.type.localeCompare(b.type),
    );
}

/** Step 1: the connections with those turned that lead back to a service on the way to them. */
function withoutCycles(names: readonly string[], connections: readonly Connection[]): Set<Connection> {
  const turned = new Set<Connection>();
  const state = new Map<string, "open" | "done">();
  const visit = (name: string): void => {
    state.set(name, "open");
    for (const connection of connections) {
      if (connection.from !== name) continue;
      const seen = state.get(connection.to);
      if (seen === "open") turned.add(connection);
      else if (seen === undefined) visit(connection.to);
    }
    state.set(name, "done");
  };
  const targets = new Set(connections.map(({ to }) => to));
  for (const name of [...names.filter((each) => !targets.has(each)), ...names]) {
    if (!state.has(name)) visit(name);
  }
  return turned;
}

/** Step 2: the layer of each service, the length of its longest way from a source. */
function layersOf(names: readonly string[], edges: readonly { from: string; to: string }[]): Map<string, number> {
  const layer = new Map(names.map((name) => [name, 0]));
  for (let round = 0; round < names.length; round++) {
    let moved = false;
    for (const { from, to } of edges) {
      const least = (layer.get(from) ?? 0) + 1;
      if ((layer.get(to) ?? 0) < least) {
        layer.set(to, least);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return layer;
}

function crossings(layers: readonly string[][], neighbours: Map<string, string[]>): number {
  let count = 0;
  for (let index = 0; index + 1 < layers.length; index++) {
    const place = new Map((layers[index + 1] ?? []).map((id, at) => [id, at]));
    const ends: [number, number][] = [];
    (layers[index] ?? []).forEach((id, at) => {
      for (const other of neighbours.get(id) ?? []) {
        const to = place.get(other);
        if (to !== undefined) ends.push([at, to]);
      }
    });
    for (let a = 0; a < ends.length; a++) {
      for (let b = a + 1; b < ends.length; b++) {
        const [fromA, toA] = ends[a] as [number, number];
        const [fromB, toB] = ends[b] as [number, number];
        if ((fromA - fromB) * (toA - toB) < 0) count++;
      }
    }
  }
  return count;
}

/** Step 3: the layers, each in an order that follows its neighbours' (barycentre), the best of some sweeps. */
function ordered(layers: string[][], neighbours: Map<string, string[]>): string[][] {
  let current = layers.map((layer) => [...layer]);
  let best = current;
  let fewest = crossings(current, neighbours);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const next = current.map((layer) => [...layer]);
    const indices = next.map((_, index) => index);
    for (const index of down ? indices.slice(1) : indices.slice(0, -1).reverse()) {
      const beside = new Map((next[down ? index - 1 : index + 1] ?? []).map((id, at) => [id, at]));
      const layer = next[index] ?? [];
      const weight = new Map(
        layer.map((id, at) => {
          const places = (neighbours.get(id) ?? []).map((other) => beside.get(other)).filter((at) => at !== undefined);
          return [id, places.length ? places.reduce((sum, place) => sum + place, 0) / places.length : at] as const;
        }),
      );
      layer.sort((a, b) => (weight.get(a) ?? 0) - (weight.get(b) ?? 0));
    }
    current = next;
    const count = crossings(current, neighbours);
    if (count < fewest) {
      fewest = count;
      best = current;
    }
  }
  return best;
}

interface Curve {
  readonly from: Point;
  readonly to: Point;
}

/** A point of the curve that leaves and arrives along the axis of the layers. */
function along({ from, to }: Curve, t: number, direction: Direction): Point {
  const ease = 3 * t * t - 2 * t * t * t;
  const main = (a: number, b: number): number => {
    const middle = (a + b) / 2;
    return (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * middle + 3 * (1 - t) * t * t * middle + t ** 3 * b;
  };
  return direction === "right"
    ? { x: main(from.x, to.x), y: from.y + (to.y - from.y) * ease }
    : { x: from.x + (to.x - from.x) * ease, y: main(from.y, to.y) };
}

function pathOf(points: readonly Point[], direction: Direction): string {
  const [first, ...rest] = points as [Point, ...Point[]];
  let path = `M${round(first.x)} ${round(first.y)}`;
  let before = first;
  for (const point of rest) {
    const { x, y } = point;
    const middle = direction === "right" ? (before.x + x) / 2 : (before.y + y) / 2;
    path +=
      direction === "right"
        ? `C${round(middle)} ${round(before.y)} ${round(middle)} ${round(y)} ${round(x)} ${round(y)}`
        : `C${round(before.x)} ${round(middle)} ${round(x)} ${round(middle)} ${round(x)} ${round(y)}`;
    before = point;
  }
  return path;
}

const round = (value: number): number => Math.round(value * 10) / 10;

interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** A place for an edge's label on the edge, free of services and of the labels before it where there is one. */
function labelPlace(points: readonly Point[], type: ConnectionType, direction: Direction, taken: Box[]): Point {
  const [width, height] = [LABEL_WIDTH[type], LABEL_HEIGHT];
  const curves = points.slice(1).map((to, index) => ({ from: points[index] as Point, to }));
  const places = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.2, 0.8].flatMap((t) =>
    curves.map((curve) => along(curve, t, direction)),
  );
  const box = ({ x, y }: Point): Box => ({ x: x - width / 2, y: y - height / 2, width, height });
  const place = places.find((at) => !taken.some((other) => overlap(box(at), other))) ?? along(curves[0] as Curve, 0.5, direction);
  taken.push(box(place));
  return { x: round(place.x), y: round(place.y) };
}

/** Lay out the services `names` (in the catalogue's order) and their connections in the room there is. */
export function layout(names: readonly string[], connections: readonly Connection[], room: Room): Layout {
  const { direction } = room;
  const right = direction === "right";
  const drawn = drawable(names, connections);
  const turned = withoutCycles(names, drawn);
  const layer = layersOf(
    names,
    drawn.map((each) => (turned.has(each) ? { from: each.to, to: each.from } : each)),
  );
  const vertices = new Map<string, Vertex>(
    names.map((name) => [name, { id: name, name, layer: layer.get(name) ?? 0 }]),
  );
  const neighbours = new Map<string, string[]>();
  const join = (a: string, b: string): void => {
    neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
    neighbours.set(b, [...(neighbours.get(b) ?? []), a]);
  };
  const routes = drawn.map((connection, index): Route => {
    const back = turned.has(connection);
    const [start, end] = back ? [connection.to, connection.from] : [connection.from, connection.to];
    const chain = [start];
    for (let at = (layer.get(start) ?? 0) + 1; at < (layer.get(end) ?? 0); at++) {
      const id = `bend ${index} ${at}`;
      vertices.set(id, { id, layer: at });
      chain.push(id);
    }
    chain.push(end);
    chain.slice(1).forEach((id, at) => join(chain[at] as string, id));
    return { connection, chain, turned: back };
  });

  const depth = Math.max(0, ...[...vertices.values()].map((vertex) => vertex.layer)) + 1;
  const layers = ordered(
    Array.from({ length: depth }, (_, index) =>
      [...vertices.values()].filter((vertex) => vertex.layer === index).map(({ id }) => id),
    ),
    neighbours,
  );

  // Step 4. Across the layers: as wide as the fullest layer needs. Along them: spread over the room there is.
  const isBend = (id: string): boolean => vertices.get(id)?.name === undefined;
  const gap = NODE_GAP[direction];
  const fullest = Math.max(1, ...layers.map((ids) => ids.filter((id) => !isBend(id)).length));
  const bends = Math.max(0, ...layers.map((ids) => ids.filter(isBend).length));
  const nodeWidth = right
    ? Math.min(NODE_WIDTH, Math.max(NODE_WIDTH_MIN, (room.width - 2 * MARGIN - (depth - 1) * LAYER_GAP.right.least) / depth))
    : Math.min(
        NODE_WIDTH,
        Math.max(NODE_WIDTH_MIN, (room.width - 2 * MARGIN - (fullest - 1) * gap - bends * (BEND_SIZE + gap)) / fullest),
      );
  const along_ = right ? nodeWidth : NODE_HEIGHT;
  const across = right ? NODE_HEIGHT : nodeWidth;
  const size = (id: string): number => (isBend(id) ? BEND_SIZE : across);
  const span = (ids: readonly string[]): number =>
    ids.reduce((sum, id) => sum + size(id), 0) + Math.max(0, ids.length - 1) * gap;
  const breadth = Math.max(...layers.map(span), right ? 0 : Math.min(room.width - 2 * MARGIN, NODE_WIDTH));
  const limits = LAYER_GAP[direction];
  const free = right && depth > 1 ? (room.width - 2 * MARGIN - depth * along_) / (depth - 1) : limits.least;
  const layerGap = Math.min(limits.most, Math.max(limits.least, free));
  const length = depth * along_ + (depth - 1) * layerGap;
  const wanted = right ? length : breadth;
  const width = Math.max(wanted + 2 * MARGIN, room.width);
  const shift = (width - wanted) / 2;

  const centre = new Map<string, Point>();
  layers.forEach((ids, index) => {
    let cursor = (breadth - span(ids)) / 2;
    for (const id of ids) {
      const acrossAt = cursor + size(id) / 2;
      const alongAt = index * (along_ + layerGap) + along_ / 2;
      centre.set(
        id,
        right ? { x: shift + alongAt, y: MARGIN + acrossAt } : { x: shift + acrossAt, y: MARGIN + alongAt },
      );
      cursor += size(id) + gap;
    }
  });

  const nodes = names.map((name): PlacedNode => {
    const at = centre.get(name) as Point;
    return {
      name,
      x: round(at.x - nodeWidth / 2),
      y: round(at.y - NODE_HEIGHT / 2),
      width: round(nodeWidth),
      height: NODE_HEIGHT,
    };
  });

  /** Edges that share a side of a service leave it side by side, in the order of where they lead. */
  const port = (id: string, other: string, side: "before" | "after"): Point => {
    const at = centre.get(id) as Point;
    if (isBend(id)) return at;
    const key = (each: string): number => (right ? centre.get(each)?.y : centre.get(each)?.x) ?? 0;
    const sharing = routes
      .flatMap(({ chain }) => chain.flatMap((each, index) => (each === id ? [chain[index + (side === "after" ? 1 : -1)]] : [])))
      .filter((each): each is string => each !== undefined)
      .filter((each, index, all) => all.indexOf(each) === index)
      .sort((a, b) => key(a) - key(b));
    const offset = (sharing.indexOf(other) - (sharing.length - 1) / 2) * PORT_STEP;
    const reach = (along_ / 2) * (side === "after" ? 1 : -1);
    return right ? { x: at.x + reach, y: at.y + offset } : { x: at.x + offset, y: at.y + reach };
  };

  const taken: Box[] = nodes.map(({ x, y, width: w, height: h }) => ({ x, y, width: w, height: h }));
  const edges = routes.map(({ connection, chain, turned: back }): PlacedEdge => {
    const points = chain.map((id, index) => {
      if (index === 0) return port(id, chain[1] as string, "after");
      if (index === chain.length - 1) return port(id, chain[index - 1] as string, "before");
      return centre.get(id) as Point;
    });
    if (back) points.reverse();
    return { ...connection, path: pathOf(points, direction), label: labelPlace(points, connection.type, direction, taken) };
  });

  return { nodes, edges, width: round(width), height: round((right ? breadth : length) + 2 * MARGIN) };
}
