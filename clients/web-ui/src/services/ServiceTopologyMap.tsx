import { type KeyboardEvent, useMemo, useState } from "react";
import { Link, type To } from "react-router";

import { count, percent } from "../shared/format";
import { useWidth } from "../shared/hooks";
import { StatusGlyph } from "../shared/StatusGlyph";
import { layout, type PlacedNode } from "./layout";
import type { CatalogueNode, ConnectionType, ServiceConnection, ServiceHealth } from "./types";
import { CONNECTION_WORD, STATUS_TONE } from "./words";

export interface ServiceTopologyMapProps {
  readonly nodes: readonly CatalogueNode[];
  readonly connections: readonly ServiceConnection[];
  /** the figures, in any order; a service without one is shown as unknown */
  readonly services: readonly ServiceHealth[];
  /** where a service's details are */
  readonly hrefOf: (name: string) => To;
  readonly selected?: string | undefined;
}

/** Below this the layers follow each other downwards. */
const WIDE_PX = 640;
const TYPES: readonly ConnectionType[] = ["http", "redis", "elasticsearch"];
const rem = (px: number) => `${px / 16}rem`;

/**
 * The services and who calls whom. Each service is a link to its details, reached by Tab and by the arrow keys; each
 * kind of connection has its colour, its dashes and its word.
 */
export function ServiceTopologyMap({ nodes, connections, services, hrefOf, selected }: ServiceTopologyMapProps) {
  const [frame, width] = useWidth<HTMLDivElement>(960);
  const [active, setActive] = useState<string>();
  // The catalogue is a new object after each fetch; the layout depends on what it says, not on which object says it.
  const shape = JSON.stringify([nodes.map(({ name }) => name), connections.map(({ from, to, type }) => ({ from, to, type }))]);
  const room = width / rootScale();
  const drawn = useMemo(() => {
    const [names, edges] = JSON.parse(shape) as [string[], ServiceConnection[]];
    return layout(names, edges, { width: room, direction: room < WIDE_PX ? "down" : "right" });
  }, [shape, room]);
  const health = new Map(services.map((service) => [service.name, service]));
  const label = new Map(nodes.map((node) => [node.name, node.label]));
  const lit = active ?? selected;

  const travel = (event: KeyboardEvent<HTMLAnchorElement>, from: PlacedNode) => {
    const next = neighbour(drawn.nodes, from, event.key);
    if (!next) return;
    event.preventDefault();
    frame.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(next.name)}"]`)?.focus();
  };

  return (
    <div className="services-map" ref={frame}>
      <div className="services-map-plane" style={{ width: rem(drawn.width), height: rem(drawn.height) }}>
        <svg viewBox={`0 0 ${drawn.width} ${drawn.height}`} aria-hidden="true" focusable="false">
          <defs>
            {TYPES.map((type) => (
              <marker
                key={type}
                id={`services-arrow-${type}`}
                className="services-arrow"
                data-type={type}
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="8"
                markerHeight="8"
                markerUnits="userSpaceOnUse"
                orient="auto-start-reverse"
              >
                <path d="M0 0.5 7.5 4 0 7.5z" />
              </marker>
            ))}
          </defs>
          {drawn.edges.map(({ from, to, type, path }) => (
            <path
              key={`${from} ${to} ${type}`}
              className="services-edge"
              data-type={type}
              data-edge={`${from} ${to}`}
              data-faded={lit !== undefined && lit !== from && lit !== to ? "" : undefined}
              d={path}
              markerEnd={`url(#services-arrow-${type})`}
            />
          ))}
        </svg>
        {drawn.edges.map(({ from, to, type, label: at }) => (
          <span
            key={`${from} ${to} ${type}`}
            className="services-edge-label"
            data-type={type}
            data-faded={lit !== undefined && lit !== from && lit !== to ? "" : undefined}
            style={{ left: rem(at.x), top: rem(at.y) }}
            aria-hidden="true"
          >
            {CONNECTION_WORD[type]}
          </span>
        ))}
        <ul aria-label="Services">
          {drawn.nodes.map((node) => {
            const service = health.get(node.name);
            const tone = service ? STATUS_TONE[service.status] : "plain";
            return (
              <li
                key={node.name}
                style={{ left: rem(node.x), top: rem(node.y), width: rem(node.width), height: rem(node.height) }}
              >
                <Link
                  to={hrefOf(node.name)}
                  className="services-node"
                  data-node={node.name}
                  data-status={service?.status ?? "unknown"}
                  data-selected={selected === node.name ? "" : undefined}
                  aria-current={selected === node.name ? "true" : undefined}
                  onPointerEnter={() => setActive(node.name)}
                  onPointerLeave={() => setActive(undefined)}
                  onFocus={() => setActive(node.name)}
                  onBlur={() => setActive(undefined)}
                  onKeyDown={(event) => travel(event, node)}
                >
                  <span className="services-node-name">{label.get(node.name) ?? node.name}</span>
                  <span className={`services-node-status tone-${tone}`}>
                    <StatusGlyph tone={tone} />
                    {service?.status ?? "no figures"}
                  </span>
                  <span className="services-node-figures">
                    {service ? (
                      <>
                        <span>CPU {percent(rounded(service.cpuPercent))}</span>
                        <span>{service.podCount === null ? "" : count(service.podCount, "pod")}</span>
                      </>
                    ) : null}
                  </span>
                </Link>
              </li>
            );
          })}
        </ul>
      </div>
      <ul className="visually-hidden" aria-label="Connections">
        {drawn.edges.map(({ from, to, type }) => (
          <li key={`${from} ${to} ${type}`}>
            {label.get(from) ?? from} calls {label.get(to) ?? to} over {CONNECTION_WORD[type]}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What the map's lines mean; only the kinds that it has. */
export function ConnectionLegend({ connections }: { readonly connections: readonly ServiceConnection[] }) {
  const present = new Set(connections.map(({ type }) => type));
  return (
    <ul className="services-legend" aria-label="Kinds of connections">
      {TYPES.filter((type) => present.has(type)).map((type) => (
        <li key={type}>
          <svg viewBox="0 0 28 8" aria-hidden="true">
            <path className="services-edge" data-type={type} d="M1 4H27" />
          </svg>
          {CONNECTION_WORD[type]}
        </li>
      ))}
    </ul>
  );
}

const rounded = (value: number | null) => (value === null ? null : Math.round(value));

function rootScale(): number {
  return (Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16) / 16;
}

const WAY: Readonly<Record<string, readonly [number, number]>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

/** The nearest service that way: what is straight ahead is nearer than what is aside. */
function neighbour(nodes: readonly PlacedNode[], from: PlacedNode, key: string): PlacedNode | undefined {
  const way = WAY[key];
  if (!way) return undefined;
  const distance = (node: PlacedNode) => {
    const [dx, dy] = [node.x - from.x, node.y - from.y];
    const ahead = dx * way[0] + dy * way[1];
    return ahead <= 0 ? Infinity : ahead + 2 * Math.abs(dx * way[1] + dy * way[0]);
  };
  return nodes
    .filter((node) => node.name !== from.name && distance(node) < Infinity)
    .sort((a, b) => distance(a) - distance(b))[0];
}
