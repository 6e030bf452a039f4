import { useLive, useServerNow } from "../live/useLive";
import type { Scalar } from "../live/records";
import { age, byteSize, duration } from "../shared/format";
import { Drawer } from "../shared/Drawer";
import { EmptyState } from "../shared/states";
import { Status } from "../shared/StatusGlyph";
import { NODE_LOOK, SIGNAL_MARK } from "./ClusterMap";
import { PROCESS_LOOK } from "./looks";

/** Everything that is known of one node. */
export function NodeDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const node = useLive((data) => data.state.nodes.find((one) => one.id === id) ?? null);
  const process = useLive((data) => data.state.processes.get(id) ?? null);
  const fault = useLive((data) => [...data.state.faults.values()].find((one) => one.target === id) ?? null);
  const now = useServerNow();
  const look = node ? NODE_LOOK[node.state] : null;
  return (
    <Drawer open={id !== ""} onClose={onClose} title={id || "Node"} subtitle={node ? `${node.role} of ${node.group}, ${node.address}` : undefined}>
      {!node || !look ? (
        <EmptyState title="There is no such node">It may have left the cluster.</EmptyState>
      ) : (
        <>
          <section>
            <h3>State</h3>
            <p>
              <Status tone={look.tone} shape={look.shape}>
                {look.word}
              </Status>
              {node.leader ? `, leads ${node.group}` : ""}
              {fault ? <strong className="tone-fault"> {fault.kind}, {fault.state}</strong> : null}
            </p>
            <ul className="signals">
              {Object.entries(node.signals).map(([name, state]) => (
                <li key={name} className={`tone-${SIGNAL_MARK[state].tone}`}>
                  <span aria-hidden="true">{SIGNAL_MARK[state].mark}</span> {name} {state}
                </li>
              ))}
            </ul>
          </section>
          {process && (
            <section>
              <h3>Process</h3>
              <dl className="facts">
                <dt>state</dt>
                <dd>
                  {PROCESS_LOOK[process.state].word}
                  {process.reason ? `: ${process.reason}` : ""} for {age(now / 1000 - process.since_at)}
                </dd>
                <dt>pid</dt>
                <dd>{process.pid ?? "–"}</dd>
                <dt>restarts</dt>
                <dd>{process.restarts}</dd>
                <dt>memory</dt>
                <dd>{byteSize(process.rss)}</dd>
                {process.next_start_in !== null && (
                  <>
                    <dt>again in</dt>
                    <dd>{duration(process.next_start_in)}</dd>
                  </>
                )}
              </dl>
              {process.last_lines.length > 0 && <pre className="lines">{process.last_lines.join("\n")}</pre>}
            </section>
          )}
          <section>
            <h3>Figures</h3>
            <dl className="facts">
              {Object.entries(node.detail)
                .filter(([, value]) => value !== null && value !== "")
                .map(([name, value]) => (
                  <div key={name} className="facts-row">
                    <dt>{name}</dt>
                    <dd>{scalar(name, value)}</dd>
                  </div>
                ))}
            </dl>
          </section>
        </>
      )}
    </Drawer>
  );
}

/** A figure as the subject names it. What is no quantity, a pid or a port, is not grouped by thousands. */
function scalar(name: string, value: Scalar): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return value ?? "–";
  return value.toLocaleString("en-US", { maximumSignificantDigits: Number.isInteger(value) ? 21 : 4, useGrouping: !/(^|_)(pid|port|id|epoch|term)$/.test(name) });
}
