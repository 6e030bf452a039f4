import "./kubernetes.css";

import { useCallback } from "react";
import { useLocation, useNavigate, useParams, useSearchParams, type To } from "react-router";

import { useThresholds } from "../services/api";
import { ageOf } from "../services/words";
import { Button } from "../shared/Button";
import { timeOfDay } from "../shared/format";
import { useNow } from "../shared/hooks";
import { MockNotice, StaleBadge } from "../shared/states";
import type { Freshness } from "../services/types";
import { useClusterHealth, useNodes, usePods } from "./api";
import { ClusterOverview } from "./ClusterOverview";
import { NodeDrawer } from "./NodeDrawer";
import { NodesPanel } from "./NodesPanel";
import { POD_TABS, PodDrawer, type PodTab } from "./PodDrawer";
import { PodsTable } from "./PodsTable";
import type { Pod } from "./types";
import { type NodesView, nodesView, PODS_USUAL, podsView, type PodsView, withNodes, withPods } from "./view";
import { nodePath, podPath } from "./words";

/** Kubernetes: the cluster, its nodes and its pods. */
export default function KubernetesPage() {
  const { namespace, name, node } = useParams();
  const [query, setQuery] = useSearchParams();
  const { search } = useLocation();
  const navigate = useNavigate();
  const nowMs = useNow();
  const thresholds = useThresholds();
  const pods = podsView(query);
  const nodes = nodesView(query);
  const health = useClusterHealth();
  const nodesAnswer = useNodes();
  const podsAnswer = usePods(pods);

  // Replaced, not pushed: Back leaves the page instead of undoing one letter of a search after the other.
  const onPods = useCallback(
    (change: Partial<PodsView>) => setQuery((before) => withPods(before, change), { replace: true, preventScrollReset: true }),
    [setQuery],
  );
  const onNodes = useCallback(
    (change: Partial<NodesView>) => setQuery((before) => withNodes(before, change), { replace: true, preventScrollReset: true }),
    [setQuery],
  );
  const said = query.get("tab");
  const tab: PodTab = POD_TABS.find((each) => each === said) ?? "info";
  const withoutTab = () => {
    const next = new URLSearchParams(query);
    next.delete("tab");
    return next.toString();
  };
  const hrefOfPod = (pod: Pod): To => ({ pathname: podPath(pod), search: withoutTab() });
  const hrefOfNode = (which: string): To => ({ pathname: nodePath(which), search: withoutTab() });
  const close = () => void navigate({ pathname: "/kubernetes", search: withoutTab() });
  const refresh = () => {
    void health.refetch();
    void nodesAnswer.refetch();
    void podsAnswer.refetch();
  };
  const fetching = health.isFetching || nodesAnswer.isFetching || podsAnswer.isFetching;
  const mock = [health.data, nodesAnswer.data, podsAnswer.data].some((answer) => answer?.source === "mock");

  return (
    <div className="kubernetes-page">
      <header className="kubernetes-head">
        <h1>Kubernetes</h1>
        <div className="kubernetes-head-aside">
          {health.data ? <span className="dim">as of {timeOfDay(health.data.lastUpdated)}</span> : null}
          <Button look="quiet" busy={fetching} onClick={refresh}>
            Refresh
          </Button>
        </div>
      </header>
      {mock ? <MockNotice what="Every node and every pod" /> : null}
      <ClusterOverview
        health={health.data}
        error={health.error}
        onRetry={() => void health.refetch()}
        retrying={health.isFetching}
        thresholds={thresholds}
        aside={<Age query={health} nowMs={nowMs} />}
      />
      <div className="kubernetes-panels">
        <NodesPanel
          nodes={nodesAnswer.data?.nodes}
          error={nodesAnswer.error}
          onRetry={() => void nodesAnswer.refetch()}
          retrying={nodesAnswer.isFetching}
          view={nodes}
          onView={onNodes}
          thresholds={thresholds}
          hrefOf={hrefOfNode}
          nowMs={nowMs}
          aside={<Age query={nodesAnswer} nowMs={nowMs} />}
        />
        <PodsTable
          answer={podsAnswer.data}
          error={podsAnswer.error}
          onRetry={() => void podsAnswer.refetch()}
          loading={podsAnswer.isPlaceholderData || (podsAnswer.isPending && podsAnswer.isFetching)}
          view={pods}
          onView={onPods}
          search={withoutTab()}
          aside={<Age query={podsAnswer} nowMs={nowMs} />}
        />
      </div>
      <PodDrawer
        pod={namespace !== undefined && name !== undefined ? { namespace, name } : undefined}
        tab={tab}
        onTab={(next) => {
          const changed = new URLSearchParams(search);
          if (next === "info") changed.delete("tab");
          else changed.set("tab", next);
          setQuery(changed, { replace: true, preventScrollReset: true });
        }}
        onClose={close}
        hrefOfNode={hrefOfNode}
        nowMs={nowMs}
      />
      <NodeDrawer
        node={node}
        onClose={close}
        thresholds={thresholds}
        hrefOfPod={hrefOfPod}
        hrefOfPods={(which) => ({
          pathname: "/kubernetes",
          search: withPods(query, { ...PODS_USUAL, nodeName: which }).toString(),
        })}
        nowMs={nowMs}
      />
    </div>
  );
}

interface Answered {
  readonly data: Freshness | undefined;
  readonly error: Error | null;
  readonly dataUpdatedAt: number;
}

/** The badge of an answer that is old: the gateway said so, or the last refresh failed. */
function Age({ query, nowMs }: { readonly query: Answered; readonly nowMs: number }) {
  if (!query.data) return null;
  return (
    <StaleBadge
      stale={query.data.stale || query.error !== null}
      ageSeconds={ageOf(query.data, query.dataUpdatedAt, nowMs)}
      reason={query.error?.message ?? "The cluster does not answer."}
    />
  );
}
