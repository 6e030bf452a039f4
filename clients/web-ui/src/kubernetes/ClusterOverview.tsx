import type { ReactNode } from "react";

import { Panel } from "../shared/Panel";
import { percent } from "../shared/format";
import { EmptyState, ErrorWithRetry, Skeleton } from "../shared/states";
import { Status, StatusGlyph, type Tone } from "../shared/StatusGlyph";
import { levelOf, levelWord, type Threshold, type Thresholds } from "../services/thresholds";
import { LEVEL_TONE } from "../services/words";
import type { ClusterHealth } from "./types";
import { CLUSTER_TONE } from "./words";

export interface ClusterOverviewProps {
  readonly health: ClusterHealth | undefined;
  readonly error: unknown;
  readonly onRetry: () => void;
  readonly retrying: boolean;
  readonly thresholds: Thresholds | undefined;
  readonly aside?: ReactNode;
}

/** The cluster in five figures. */
export function ClusterOverview({ health, error, onRetry, retrying, thresholds, aside }: ClusterOverviewProps) {
  if (!health) {
    return (
      <Panel title="Cluster" aside={aside}>
        {error ? (
          <ErrorWithRetry what="The cluster" error={error} onRetry={onRetry} retrying={retrying} />
        ) : (
          <div className="kubernetes-tiles">
            {[1, 2, 3, 4, 5].map((key) => (
              <Skeleton key={key} label="Loading the cluster" lines={2} />
            ))}
          </div>
        )}
      </Panel>
    );
  }
  if (health.nodesTotal === 0 && health.podsTotal === 0) {
    return (
      <Panel title="Cluster" aside={aside}>
        <EmptyState title="The cluster is empty">It has no nodes and no pods.</EmptyState>
      </Panel>
    );
  }
  const nodesMissing = health.nodesTotal - health.nodesReady;
  const finished = Math.max(0, health.podsTotal - health.podsRunning - health.podsPending - health.podsFailed);
  return (
    <Panel title="Cluster" aside={aside}>
      <dl className="kubernetes-tiles">
        <Tile name="Status">
          <span className="kubernetes-figure">
            <Status tone={CLUSTER_TONE[health.status]}>{health.status}</Status>
          </span>
        </Tile>
        <Tile name="Nodes ready">
          <Figure tone={nodesMissing > 0 ? "bad" : "good"} of={health.nodesTotal}>
            {health.nodesReady.toLocaleString("en-US")}
          </Figure>
          <Note>{nodesMissing > 0 ? `${nodesMissing} not ready` : "all of them"}</Note>
        </Tile>
        <Tile name="Pods running">
          <Figure of={health.podsTotal}>{health.podsRunning.toLocaleString("en-US")}</Figure>
          <Bar
            parts={[
              { tone: "good", value: health.podsRunning },
              { tone: "plain", value: finished },
              { tone: "warn", value: health.podsPending },
              { tone: "bad", value: health.podsFailed },
            ]}
          />
          <Note>
            <Count tone="warn" of={health.podsPending} word="pending" />
            <Count tone="bad" of={health.podsFailed} word="failed" />
          </Note>
        </Tile>
        <Share name="CPU" value={health.cpuUsagePercent} threshold={thresholds?.cpu} />
        <Share name="Memory" value={health.memoryUsagePercent} threshold={thresholds?.memory} />
      </dl>
      {health.reasons?.length ? (
        <ul className="kubernetes-reasons" aria-label="Why it is not healthy">
          {health.reasons.map((reason) => (
            <li key={reason}>
              <StatusGlyph tone={CLUSTER_TONE[health.status]} /> {reason}
            </li>
          ))}
        </ul>
      ) : null}
    </Panel>
  );
}

function Tile({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div className="kubernetes-tile">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Figure({ tone, of, children }: { readonly tone?: Tone; readonly of: number; readonly children: ReactNode }) {
  return (
    <span className="kubernetes-figure">
      {tone === "bad" ? <StatusGlyph tone="bad" /> : null}
      {children}
      <small> of {of.toLocaleString("en-US")}</small>
    </span>
  );
}

function Note({ children }: { readonly children: ReactNode }) {
  return <span className="kubernetes-note">{children}</span>;
}

function Count({ tone, of, word }: { readonly tone: Tone; readonly of: number; readonly word: string }) {
  return (
    <span className={of > 0 ? `tone-${tone}` : undefined}>
      {of > 0 ? <StatusGlyph tone={tone} /> : null} {of.toLocaleString("en-US")} {word}
    </span>
  );
}

function Share({
  name,
  value,
  threshold,
}: {
  readonly name: string;
  readonly value: number | null;
  readonly threshold: Threshold | undefined;
}) {
  const level = levelOf(value, threshold);
  const tone = LEVEL_TONE[level];
  const high = level === "warning" || level === "critical";
  return (
    <Tile name={name}>
      <span className={`kubernetes-figure ${high ? `tone-${tone}` : ""}`}>
        {high ? <StatusGlyph tone={tone} /> : null}
        {percent(value)}
      </span>
      {value === null ? (
        <Note>the metrics API gives no figure</Note>
      ) : (
        <>
          <Bar parts={[{ tone, value }]} total={100} />
          <Note>{level === "unknown" ? "" : levelWord(level)}</Note>
        </>
      )}
    </Tile>
  );
}

/** Shares of a whole, side by side; the figures beside it say the same in words. */
function Bar({ parts, total }: { readonly parts: readonly { tone: Tone; value: number }[]; readonly total?: number }) {
  const whole = total ?? Math.max(1, parts.reduce((sum, { value }) => sum + value, 0));
  return (
    <span className="kubernetes-bar" aria-hidden="true">
      {parts
        .filter(({ value }) => value > 0)
        .map(({ tone, value }) => (
          <span key={tone} className={`tone-${tone}`} style={{ width: `${Math.min(100, (100 * value) / whole)}%` }} />
        ))}
    </span>
  );
}
