import { useLive, useServerNow } from "../live/useLive";
import type { ProcessState } from "../live/records";
import { age, byteSize, duration } from "../shared/format";
import { Panel } from "../shared/Panel";
import { EmptyState, Skeleton } from "../shared/states";
import { Status } from "../shared/StatusGlyph";
import { TableScroll } from "../shared/table";
import { PROCESS_LOOK } from "./looks";

/** For this long a process that came back says so; a restart takes milliseconds, too short to be seen. */
const RETURNED_SHOWN_S = 15;
const ORDER: Partial<Record<ProcessState["kind"], number>> = { worker: 0, declared: 1, tool: 2 };

/** The daemon's own processes; the servers of the subject are in the cluster. */
export function ProcessesPanel() {
  const processes = useLive((data) => data.state.processes);
  const returned = useLive((data) => data.story.returned);
  const now = useServerNow();
  const ours = [...(processes?.values() ?? [])]
    .filter((one) => one.kind !== "server")
    .sort((a, b) => (ORDER[a.kind] ?? 3) - (ORDER[b.kind] ?? 3) || a.name.localeCompare(b.name));
  const well = ours.filter((one) => one.state === "ready").length;
  return (
    <Panel title="Processes" aside={ours.length > 0 ? `${well} of ${ours.length} ready` : undefined} flush={ours.length > 0}>
      {!processes ? (
        <Skeleton label="Loading processes" lines={4} />
      ) : ours.length === 0 ? (
        <EmptyState title="No process reported yet" compact />
      ) : (
        <TableScroll label="Processes of the daemon">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">State</th>
                <th scope="col" className="num">
                  CPU
                </th>
                <th scope="col" className="num">
                  Memory
                </th>
                <th scope="col" className="num wide-only">
                  pid
                </th>
              </tr>
            </thead>
            <tbody>
              {ours.map((one) => (
                <Row key={one.name} process={one} back={returned?.get(one.name)} now={now} />
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </Panel>
  );
}

function Row({ process, back, now }: { process: ProcessState; back: number | undefined; now: number }) {
  const look = PROCESS_LOOK[process.state];
  const since = back === undefined ? Number.POSITIVE_INFINITY : (now - back) / 1000;
  return (
    <tr title={process.reason || undefined}>
      <td>{process.name}</td>
      <td>
        <Status tone={look.tone} shape={look.shape}>
          {look.word}
        </Status>
        {process.restarts > 0 && <span className="tone-warn"> ↻{process.restarts}</span>}
        {process.state === "ready" && since < RETURNED_SHOWN_S && <strong className="tone-warn"> back {age(since)} ago</strong>}
        {process.next_start_in !== null && <span className="tone-warn"> again in {duration(process.next_start_in)}</span>}
      </td>
      <td className="num">{process.cpu_percent === null ? "–" : `${Math.round(process.cpu_percent)} %`}</td>
      <td className="num">{byteSize(process.rss)}</td>
      <td className="num wide-only dim">{process.pid ?? "–"}</td>
    </tr>
  );
}
