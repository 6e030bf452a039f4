import type { Tone, Shape } from "../shared/StatusGlyph";
import { StatusGlyph } from "../shared/StatusGlyph";
import { milliseconds, number } from "../shared/format";
import { useMediaQuery } from "../shared/hooks";
import type { ClusterNode, Fault, NodeState, SignalState } from "../live/records";
import { layout, type Edge, type Place } from "./clusterLayout";

export const NODE_LOOK: Record<NodeState, { tone: Tone; shape: Shape; word: string }> = {
  up: { tone: "good", shape: "check", word: "up" },
  degraded: { tone: "warn", shape: "half", word: "degraded" },
  down: { tone: "bad", shape: "cross", word: "down" },
  unknown: { tone: "plain", shape: "question", word: "unknown" },
};

export const SIGNAL_MARK: Record<SignalState, { tone: Tone; mark: string }> = {
  up: { tone: "good", mark: "✓" },
  down: { tone: "bad", mark: "✗" },
  unknown: { tone: "plain", mark: "?" },
};

/** rem: height of a card with the room below it, and where the first row begins. */
const ROW = 8;
const CARD = 5.75;
const TOP = 1.5;

export interface ClusterMapProps {
  nodes: readonly ClusterNode[];
  faults: readonly Fault[];
  onOpen: (node: string) => void;
}

/** Every node in its place, with who replicates from whom. The cards are buttons in reading order. */
export function ClusterMap({ nodes, faults, onOpen }: ClusterMapProps) {
  const narrow = useMediaQuery("(max-width: 480px)");
  const map = layout(nodes, narrow ? 3 : 6);
  const at = new Map(map.places.map((place) => [place.node.id, place]));
  const kinds = new Set(map.edges.map((edge) => edge.kind));
  return (
    <div>
      <div className="cluster-map" style={{ height: `${TOP + map.rows * ROW - (ROW - CARD)}rem` }}>
        <svg className="cluster-edges" width="100%" height="100%" aria-hidden="true">
          {map.edges.map((edge) => (
            <EdgeLine key={`${edge.from}-${edge.to}-${edge.kind}`} edge={edge} from={at.get(edge.from)} to={at.get(edge.to)} />
          ))}
        </svg>
        {map.columnNames?.map((name, column, all) => (
          <span key={name} className="cluster-group" style={{ left: across({ column, columns: all.length }), top: 0 }}>
            {name}
          </span>
        ))}
        {map.rowNames?.map((name, row) =>
          name ? (
            <span key={name} className="cluster-group" data-row="" style={{ left: 0, top: `${row * ROW}rem` }}>
              {name === "pd" ? "PD" : name === "tikv" ? "TiKV" : name}
            </span>
          ) : null,
        )}
        <ul aria-label="Nodes">
          {map.places.map((place) => (
            <NodeCard key={place.node.id} place={place} fault={faults.find((one) => one.target === place.node.id)} onOpen={onOpen} />
          ))}
        </ul>
      </div>
      <p className="cluster-legend">
        {kinds.has("replication") && <Legend kind="replication">replicates</Legend>}
        {kinds.has("consensus") && <Legend kind="consensus">Raft</Legend>}
        {kinds.has("scheduling") && <Legend kind="scheduling">schedules</Legend>}
        <Legend kind="broken">interrupted</Legend>
        <span>
          <StatusGlyph tone="warn" shape="star" /> {nodes.some((node) => node.role === "primary") ? "primary" : "leader"}
        </span>
      </p>
    </div>
  );
}

function Legend({ kind, children }: { kind: string; children: string }) {
  return (
    <span>
      <svg className="cluster-legend-line" viewBox="0 0 24 8" aria-hidden="true">
        <line className="cluster-edge" data-kind={kind} data-broken={kind === "broken" ? "" : undefined} x1="1" y1="4" x2="23" y2="4" />
        {kind === "broken" && <Cut x={12} y={4} />}
      </svg>{" "}
      {children}
    </span>
  );
}

/** A cross on a link that is interrupted: red and dashes alone say it to some only. */
function Cut({ x, y }: { x: number | string; y: number | string }) {
  return (
    <svg x={x} y={y} overflow="visible">
      <path className="cluster-edge-cut" d="M-3.5-3.5 3.5 3.5M-3.5 3.5 3.5-3.5" />
    </svg>
  );
}

const share = ({ column, columns }: { column: number; columns: number }) => ((column + 0.5) / columns) * 100;
const across = (place: { column: number; columns: number }) => `${share(place)}%`;

function EdgeLine({ edge, from, to }: { edge: Edge; from: Place | undefined; to: Place | undefined }) {
  if (!from || !to) return null;
  const level = from.row === to.row;
  const middle = CARD / 2;
  const y = (place: Place, other: Place) =>
    TOP + place.row * ROW + (level ? middle : place.row < other.row ? CARD : 0);
  return (
    <>
      <line
        className="cluster-edge"
        data-kind={edge.kind}
        data-broken={edge.whole ? undefined : ""}
        x1={across(from)}
        y1={`${y(from, to)}rem`}
        x2={across(to)}
        y2={`${y(to, from)}rem`}
      />
      {!edge.whole && <Cut x={`${(share(from) + share(to)) / 2}%`} y={`${(y(from, to) + y(to, from)) / 2}rem`} />}
    </>
  );
}

function NodeCard({ place, fault, onOpen }: { place: Place; fault: Fault | undefined; onOpen: (node: string) => void }) {
  const { node } = place;
  const look = NODE_LOOK[node.state];
  const lead = node.leader || node.role === "primary";
  const ops = node.detail["ops_per_sec"];
  const p99 = node.detail["p99_ms"];
  return (
    <li
      className="cluster-place"
      style={{ left: across(place), top: `${TOP + place.row * ROW}rem`, width: `calc(${100 / place.columns}% - 0.75rem)` }}
    >
      <button
        type="button"
        className="cluster-node"
        data-state={node.state}
        data-fault={fault ? "" : undefined}
        data-node={node.id}
        onClick={() => onOpen(node.id)}
      >
        <span className="cluster-node-head">
          <StatusGlyph tone={look.tone} shape={look.shape} />
          <strong>{node.id}</strong>
        </span>
        <span className={`cluster-node-state tone-${look.tone}`}>
          {lead && (
            <>
              <StatusGlyph tone="warn" shape="star" label={node.role === "primary" ? "primary" : "leader"} />{" "}
            </>
          )}
          {/* The star says it already. */}
          {!(lead && node.role === "primary") && <span className="cluster-node-role">{node.role} </span>}
          {look.word}
        </span>
        {fault ? (
          <span className="cluster-node-fault tone-fault">
            <StatusGlyph tone="fault" /> {fault.kind}
            {fault.state === "countdown" && fault.remaining ? ` in ${fault.remaining}` : ""}
          </span>
        ) : (
          <span className="cluster-node-figures">
            {typeof ops === "number" ? `${number(ops)} ops/s` : node.address}
            {typeof p99 === "number" && <span className="cluster-node-p99"> p99 {milliseconds(p99)}</span>}
          </span>
        )}
        <span className="cluster-node-signals">
          {Object.entries(node.signals).map(([name, state]) => (
            <span key={name} className={`tone-${SIGNAL_MARK[state].tone}`} title={`${name}: ${state}`}>
              <span className="cluster-signal-name">{name}</span>
              <span className="visually-hidden"> {state}</span>
              <span aria-hidden="true">{SIGNAL_MARK[state].mark}</span>
            </span>
          ))}
        </span>
      </button>
    </li>
  );
}
