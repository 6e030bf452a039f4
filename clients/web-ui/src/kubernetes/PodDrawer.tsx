import { Tabs } from "@base-ui/react/tabs";
import { useState } from "react";
import { Link, type To } from "react-router";

import { ageOf } from "../services/words";
import { count, moment, number } from "../shared/format";
import { Drawer } from "../shared/Drawer";
import { ErrorWithRetry, MockNotice, Skeleton, StaleBadge } from "../shared/states";
import { Badge, Status, type Tone } from "../shared/StatusGlyph";
import { type PodName, usePod, usePodLog } from "./api";
import { Events } from "./Events";
import { Logs } from "./Logs";
import type { Container, Pod, PodDetail } from "./types";
import { podTone, readiness, trouble } from "./words";

export const POD_TABS = ["info", "containers", "events", "logs"] as const;
export type PodTab = (typeof POD_TABS)[number];
const TAB_WORD: Readonly<Record<PodTab, string>> = { info: "Info", containers: "Containers", events: "Events", logs: "Logs" };

export interface PodDrawerProps {
  /** undefined keeps the drawer shut */
  readonly pod: PodName | undefined;
  readonly tab: PodTab;
  readonly onTab: (tab: PodTab) => void;
  readonly onClose: () => void;
  readonly hrefOfNode: (node: string) => To;
  readonly nowMs: number;
}

/** Everything that is known of one pod: what it is, its containers, its events, its log. */
export function PodDrawer({ pod, ...rest }: PodDrawerProps) {
  return (
    <Drawer open={pod !== undefined} onClose={rest.onClose} wide title={pod?.name ?? ""} subtitle={pod?.namespace ?? ""}>
      {pod ? <Loaded key={`${pod.namespace}/${pod.name}`} pod={pod} {...rest} /> : null}
    </Drawer>
  );
}

function Loaded({ pod, ...rest }: PodDrawerProps & { readonly pod: PodName }) {
  const query = usePod(pod);
  if (!query.data) {
    return query.isError ? (
      <ErrorWithRetry
        what="The pod"
        error={query.error}
        onRetry={() => void query.refetch()}
        retrying={query.isFetching}
      />
    ) : (
      <Skeleton label="Loading the pod" lines={8} />
    );
  }
  return (
    <>
      <StaleBadge
        stale={query.isError || query.data.stale}
        ageSeconds={ageOf(query.data, query.dataUpdatedAt, rest.nowMs)}
        reason={query.isError ? query.error.message : "The cluster does not answer."}
      />
      {query.data.source === "mock" ? <MockNotice what="Everything" /> : null}
      <PodTabs detail={query.data} {...rest} />
    </>
  );
}

function PodTabs({ detail, tab, onTab, hrefOfNode, nowMs }: Omit<PodDrawerProps, "pod"> & { readonly detail: PodDetail }) {
  const { pod, initContainers, events, eventsProblem } = detail;
  const amount: Partial<Record<PodTab, number>> = {
    containers: pod.containers.length + initContainers.length,
    ...(events ? { events: events.length } : {}),
  };
  return (
    <Tabs.Root className="kubernetes-tabs" value={tab} onValueChange={(next) => onTab(next as PodTab)}>
      <Tabs.List className="kubernetes-tabs-list" aria-label="About the pod" activateOnFocus>
        {POD_TABS.map((each) => (
          <Tabs.Tab key={each} value={each}>
            {TAB_WORD[each]}
            {amount[each] ? <span className="dim"> {amount[each]}</span> : null}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="info">
        <Info pod={pod} hrefOfNode={hrefOfNode} nowMs={nowMs} />
      </Tabs.Panel>
      <Tabs.Panel value="containers">
        <Containers title="" containers={pod.containers} nowMs={nowMs} />
        {initContainers.length ? <Containers title="Init containers" containers={initContainers} nowMs={nowMs} /> : null}
      </Tabs.Panel>
      <Tabs.Panel value="events">
        <Events events={events} problem={eventsProblem} nowMs={nowMs} />
      </Tabs.Panel>
      <Tabs.Panel value="logs">
        <PodLogs pod={pod} containers={[...pod.containers, ...initContainers].map(({ name }) => name)} />
      </Tabs.Panel>
    </Tabs.Root>
  );
}

function PodLogs({ pod, containers }: { readonly pod: PodName; readonly containers: readonly string[] }) {
  const [container, setContainer] = useState(containers[0] ?? "");
  const query = usePodLog(pod, container);
  return (
    <Logs
      pod={pod.name}
      containers={containers}
      container={container}
      onContainer={setContainer}
      log={query.data}
      error={query.error}
      onRetry={() => void query.refetch()}
      retrying={query.isFetching}
    />
  );
}

function Info({ pod, hrefOfNode, nowMs }: { readonly pod: Pod; readonly hrefOfNode: (node: string) => To; readonly nowMs: number }) {
  const labels = Object.entries(pod.labels);
  const why = trouble(pod);
  return (
    <div className="kubernetes-info">
      <dl className="facts">
        <dt>Status</dt>
        <dd>
          <Status tone={podTone(pod)}>
            {pod.status}
            {why ? `, ${why}` : ""}
          </Status>
        </dd>
        <dt>Ready</dt>
        <dd>{readiness(pod.containers)} containers</dd>
        <dt>Restarts</dt>
        <dd>{number(pod.restarts)}</dd>
        <dt>Node</dt>
        <dd>{pod.nodeName ? <Link to={hrefOfNode(pod.nodeName)}>{pod.nodeName}</Link> : "not scheduled"}</dd>
        <dt>Pod IP</dt>
        <dd className="mono">{pod.podIP ?? "–"}</dd>
        <dt>Host IP</dt>
        <dd className="mono">{pod.hostIP ?? "–"}</dd>
        <dt>Owner</dt>
        <dd>{pod.ownerKind ? `${pod.ownerKind} ${pod.ownerName ?? ""}` : "none"}</dd>
        <dt>Created</dt>
        <dd>
          {moment(pod.createdAt, nowMs)}, {pod.age} ago
        </dd>
      </dl>
      <section aria-labelledby="pod-labels">
        <h3 id="pod-labels">Labels</h3>
        {labels.length ? (
          <ul className="kubernetes-labels">
            {labels.map(([key, value]) => (
              <li key={key} className="mono">
                <span className="dim">{key}=</span>
                {value}
              </li>
            ))}
          </ul>
        ) : (
          <p className="dim">none</p>
        )}
      </section>
    </div>
  );
}

const CONTAINER_TONE: Readonly<Record<Container["state"], Tone>> = { running: "good", waiting: "warn", terminated: "plain" };

function Containers({
  title,
  containers,
  nowMs,
}: {
  readonly title: string;
  readonly containers: readonly Container[];
  readonly nowMs: number;
}) {
  return (
    <section aria-label={title || "Containers"}>
      {title ? <h3>{title}</h3> : null}
      <ul className="kubernetes-containers">
        {containers.map((each) => (
          <li key={each.name}>
            <header>
              <h4>{each.name}</h4>
              <Status tone={CONTAINER_TONE[each.state]}>
                {each.state}
                {each.stateReason ? `, ${each.stateReason}` : ""}
              </Status>
              {each.ready ? null : <Badge tone={each.state === "terminated" ? "plain" : "warn"}>not ready</Badge>}
            </header>
            <dl className="facts">
              <dt>Image</dt>
              <dd className="mono">{each.image}</dd>
              <dt>Restarts</dt>
              <dd>{number(each.restartCount)}</dd>
              {each.lastState ? (
                <>
                  <dt>Before</dt>
                  <dd>
                    {each.lastState.state}
                    {each.lastState.reason ? `, ${each.lastState.reason}` : ""}
                    {typeof each.lastState.exitCode === "number" ? `, exit code ${each.lastState.exitCode}` : ""}
                    {each.lastState.finishedAt ? `, ${moment(each.lastState.finishedAt, nowMs)}` : ""}
                  </dd>
                </>
              ) : null}
            </dl>
          </li>
        ))}
      </ul>
      {containers.length ? null : <p className="dim">{count(0, "container")}</p>}
    </section>
  );
}
