import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";
import { isLive } from "../live/data";
import { daemonsQuery, useDaemonName, useLive, useServerNow } from "../live/useLive";
import { Button } from "../shared/Button";
import { LiveStale } from "../shared/ConnectionState";
import { age, milliseconds, number } from "../shared/format";
import { Panel } from "../shared/Panel";
import { EmptyState, ErrorWithRetry, Skeleton } from "../shared/states";
import { Badge } from "../shared/StatusGlyph";
import { AgentPanel } from "./AgentPanel";
import { Actions } from "./Actions";
import { Chapter } from "./Chapter";
import { ClusterMap } from "./ClusterMap";
import { HappenedPanel } from "./HappenedPanel";
import { NodeDrawer } from "./NodeDrawer";
import { ProcessesPanel } from "./ProcessesPanel";
import { ThroughputChart, worstP99 } from "./ThroughputChart";
import { TicketDrawer } from "./TicketDrawer";
import { TicketsPanel } from "./TicketsPanel";
import { useTicket } from "./useTicket";
import "./demo.css";

/** A load whose last sample is older has fallen silent. */
const SILENT_AFTER_S = 4;

/** `/demo?node=…&ticket=…&history`: the live story. */
export default function DemoPage() {
  const daemons = useQuery(daemonsQuery);
  const daemon = useDaemonName();
  const loaded = useLive((data) => data.loaded) ?? false;
  if (daemons.isPending || (daemon && !loaded && !daemons.isError)) return <Waiting />;
  if (!daemons.data) {
    return (
      <>
        <h1 className="visually-hidden">Live demo</h1>
        <ErrorWithRetry what="The live demo" error={daemons.error} onRetry={() => void daemons.refetch()} retrying={daemons.isFetching} />
      </>
    );
  }
  if (!daemon) {
    return (
      <>
        <h1 className="visually-hidden">Live demo</h1>
        <EmptyState title="No daemon is followed">
          Start one with <code>operatord demo</code>, and the gateway with <code>operator-web --endpoint DIR</code>.
        </EmptyState>
      </>
    );
  }
  return <Live />;
}

/** The shape of the page, while the first snapshot is on its way. */
function Waiting() {
  const silent = useLive((data) => data.link === "open" && data.connection !== "live");
  const daemon = useDaemonName();
  if (silent) {
    return (
      <>
        <h1 className="visually-hidden">Live demo</h1>
        <EmptyState title={`${daemon} does not answer yet`} tone="warn">
          <code>operatord start</code> starts a daemon, <code>operatord demo</code> one with a story. This page goes on by itself.
        </EmptyState>
      </>
    );
  }
  return (
    <>
      <h1 className="visually-hidden">Live demo</h1>
      <div className="demo-grid" data-waiting="">
        {["story", "cluster", "load", "tickets", "agent", "side"].map((area) => (
          <div key={area} className="panel panel-body" style={{ gridArea: area }}>
            <Skeleton label={`Loading: ${area}`} lines={area === "story" ? 2 : 6} />
          </div>
        ))}
      </div>
    </>
  );
}

function Live() {
  const [params, setParams] = useSearchParams();
  const ticket = Number(params.get("ticket")) || null;
  const live = useLive((data) => (ticket === null ? undefined : data.state.tickets.get(ticket)));
  // Of one that is over and was diagnosed before this page was opened, only the daemon has the diagnosis.
  const kept = useTicket(ticket, ticket !== null && !live);
  const chosen = live?.diagnosis ?? kept.data?.ticket.diagnosis ?? null;
  const change = (next: Record<string, string | null>) =>
    setParams((before) => {
      const after = new URLSearchParams(before);
      for (const [key, value] of Object.entries(next)) {
        if (value === null) after.delete(key);
        else after.set(key, value);
      }
      return after;
    });
  return (
    <>
      <h1 className="visually-hidden">Live demo</h1>
      <div className="demo-grid">
        <Chapter />
        <ClusterPanel onOpen={(node) => change({ node })} />
        <LoadPanel />
        <TicketsPanel selected={ticket} onSelect={(id) => change({ ticket: id === ticket ? null : String(id) })} />
        <div className="demo-agent">
          <AgentPanel ticket={ticket} chosen={chosen} loading={kept.isLoading} />
          {ticket !== null && (
            <p className="demo-agent-foot">
              <Button onClick={() => change({ history: "1" })}>History of ticket #{ticket}</Button>
              <Button look="quiet" onClick={() => change({ ticket: null })}>
                Follow what is going on
              </Button>
            </p>
          )}
          <LooseActions />
        </div>
        <div className="demo-side">
          <ProcessesPanel />
          <HappenedPanel />
        </div>
      </div>
      <NodeDrawer id={params.get("node") ?? ""} onClose={() => change({ node: null })} />
      <TicketDrawer id={ticket} open={ticket !== null && params.has("history")} onClose={() => change({ history: null })} />
    </>
  );
}

function ClusterPanel({ onOpen }: { onOpen: (node: string) => void }) {
  const nodes = useLive((data) => data.state.nodes) ?? [];
  const health = useLive((data) => data.state.cluster);
  const faults = useLive((data) => data.state.faults);
  const live = useLive(isLive) ?? false;
  const up = nodes.filter((node) => node.state === "up").length;
  const tone = health === null || health.ok === null ? "warn" : health.ok ? "good" : "bad";
  return (
    <Panel
      title={`Cluster${health ? ` ${health.subject}` : ""}`}
      area="cluster"
      tone={tone === "bad" ? "bad" : undefined}
      aside={
        nodes.length > 0 && (
          <>
            <LiveStale />
            {health?.ok !== true && health?.reason ? <span>{health.reason}</span> : null}
            <Badge tone={!live ? "plain" : tone === "good" && up < nodes.length ? "warn" : tone}>
              {tone === "warn" ? "not known" : tone === "bad" ? "unhealthy" : up < nodes.length ? "degraded" : "healthy"}, {up}/{nodes.length} up
            </Badge>
          </>
        )
      }
    >
      {nodes.length === 0 ? (
        <EmptyState title="Waiting for the first look at the cluster" compact>
          {health?.reason}
        </EmptyState>
      ) : (
        <ClusterMap nodes={nodes} faults={[...(faults?.values() ?? [])]} onOpen={onOpen} />
      )}
    </Panel>
  );
}

function LoadPanel() {
  const samples = useLive((data) => data.state.workload) ?? [];
  const marks = useLive((data) => data.story.marks) ?? [];
  const live = useLive(isLive) ?? false;
  const now = useServerNow();
  const last = samples.at(-1);
  if (!last) {
    return (
      <Panel title="Workload" area="load">
        <EmptyState title="No load yet">Stage 2 of the demo starts it.</EmptyState>
      </Panel>
    );
  }
  const silent = last.sampled_at > 0 ? now / 1000 - last.sampled_at : 0;
  return (
    <Panel
      title="Workload"
      area="load"
      tone={last.degraded ? "bad" : undefined}
      aside={
        <>
          <LiveStale />
          {silent > SILENT_AFTER_S && <Badge tone="warn">no sample for {age(silent)}</Badge>}
          <Badge tone={!live ? "plain" : last.degraded ? "bad" : "good"}>{last.degraded ? "degraded" : "steady"}</Badge>
        </>
      }
    >
      <dl className="figures">
        <Figure name="operations" value={number(last.ops_per_sec)} unit="ops/s" tone={last.degraded ? "bad" : "good"} big />
        <Figure name="baseline" value={last.baseline === null ? "measuring" : number(last.baseline)} unit={last.baseline === null ? "" : "ops/s"} />
        <Figure name="alarm below" value={number(last.threshold)} unit={last.threshold === null ? "" : "ops/s"} />
        <Figure name="errors" value={number(last.errors_per_sec)} unit="/s" {...(last.errors_per_sec > 0 ? { tone: "bad" } : {})} />
        <Figure name="p99" value={milliseconds(worstP99(last))} unit="" />
      </dl>
      <ThroughputChart samples={samples} marks={marks} />
    </Panel>
  );
}

function Figure({ name, value, unit, tone, big = false }: { name: string; value: string; unit: string; tone?: string; big?: boolean }) {
  return (
    <div className="figure" data-big={big ? "" : undefined}>
      <dt>{name}</dt>
      <dd className={tone ? `tone-${tone}` : undefined}>
        {value} {unit && <span className="figure-unit">{unit}</span>}
      </dd>
    </div>
  );
}

/** Actions that are for no ticket: ordered by hand. */
function LooseActions() {
  const actions = useLive((data) => data.state.actions);
  const loose = [...(actions?.values() ?? [])].filter((action) => action.ticket === null);
  if (loose.length === 0) return null;
  return (
    <Panel title="Ordered by hand">
      <Actions actions={loose} />
    </Panel>
  );
}
