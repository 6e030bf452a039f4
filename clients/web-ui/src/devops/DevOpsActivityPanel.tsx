import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useDaemonName, useServerNow } from "../live/useLive";
import { Button } from "../shared/Button";
import { age, duration, moment, secondsSince } from "../shared/format";
import { useNow } from "../shared/hooks";
import { Panel } from "../shared/Panel";
import { EmptyState, ErrorWithRetry, Skeleton, StaleBadge } from "../shared/states";
import { Badge, Status, type Shape, type Tone } from "../shared/StatusGlyph";
import { activities, activityQuery, currentStep, took, type ActivityStatus, type DevOpsActivity } from "./activity";
import { DevOpsStepList } from "./DevOpsStepList";

const LOOK: Record<ActivityStatus, { tone: Tone; shape: Shape; word: string }> = {
  in_progress: { tone: "info", shape: "spinner", word: "in progress" },
  completed: { tone: "good", shape: "check", word: "completed" },
  failed: { tone: "bad", shape: "cross", word: "failed" },
};

/** The operation that runs, with its steps, and the last ten of the last 24 hours. `selected` is opened and scrolled to. */
export function DevOpsActivityPanel({ selected = "" }: { selected?: string }) {
  const query = useQuery(activityQuery(useDaemonName()));
  const now = useServerNow();
  const local = useNow();
  const { data, error, isFetching, refetch, dataUpdatedAt } = query;
  // The moments of the answer are the gateway's, the moment at which it came is ours.
  const fetchedAgo = Math.max(0, (local - dataUpdatedAt) / 1000);
  const retry = () => void refetch();
  const refresh = (
    <>
      {data && (
        <>
          <StaleBadge
            stale={Boolean(error) || data.stale === true}
            ageSeconds={fetchedAgo + (data.ageSeconds ?? 0)}
            reason={error?.message ?? ""}
          />
          <span>updated {age(fetchedAgo)} ago</span>
        </>
      )}
      <Button look="quiet" onClick={retry} busy={isFetching}>
        Refresh
      </Button>
    </>
  );
  const past = data ? activities(data).filter((one) => one.id !== data.current?.id) : [];
  return (
    <div className="devops-panels">
      <Panel title="Current operation" aside={refresh}>
        {query.isPending ? (
          <Skeleton label="Loading DevOps activity" lines={5} />
        ) : !data ? (
          <ErrorWithRetry what="DevOps activity" error={error} onRetry={retry} retrying={isFetching} />
        ) : data.current ? (
          <Activity activity={data.current} now={now} />
        ) : (
          <EmptyState title="No operation is running">
            <code>operatorctl devops start</code> or <code>publish-progress.sh</code> begins one.
          </EmptyState>
        )}
      </Panel>
      <Panel title="Last operations" aside={past.length > 0 ? `${past.length} in 24 h` : undefined} flush={past.length > 0}>
        {query.isPending ? (
          <Skeleton label="Loading the last operations" lines={5} />
        ) : !data ? (
          <p className="dim">They appear here once the activity can be loaded.</p>
        ) : past.length === 0 ? (
          <EmptyState title="Nothing in the last 24 hours">Operations that end are kept here for a day, with their steps.</EmptyState>
        ) : (
          <ol className="devops-past">
            {past.map((one) => (
              <Past key={one.id} activity={one} now={now} selected={one.id === selected} />
            ))}
          </ol>
        )}
      </Panel>
    </div>
  );
}

function Activity({ activity, now }: { activity: DevOpsActivity; now: number }) {
  const look = LOOK[activity.status];
  const done = activity.steps.filter((step) => step.status === "completed").length;
  return (
    <article className="devops-current" aria-label={activity.operation}>
      <header>
        <h3>{activity.operation}</h3>
        <Badge tone={look.tone} glyph={false}>
          <Status tone={look.tone} shape={look.shape}>
            {look.word}
          </Status>
        </Badge>
        <span className="dim">
          {done} of {activity.steps.length} steps, {duration(took(activity, now))}, since {moment(activity.startedAt, now)}
        </span>
      </header>
      <progress
        className="devops-progress"
        max={Math.max(1, activity.steps.length)}
        value={done}
        aria-label={`${done} of ${activity.steps.length} steps done`}
      />
      <DevOpsStepList steps={activity.steps} now={now} />
      {activity.error ? <p className="devops-step-error">{activity.error}</p> : null}
    </article>
  );
}

function Past({ activity, now, selected }: { activity: DevOpsActivity; now: number; selected: boolean }) {
  const look = LOOK[activity.status];
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (selected && details.current) {
      details.current.open = true;
      details.current.scrollIntoView({ block: "nearest" });
    }
  }, [selected]);
  const failed = activity.status === "failed" ? currentStep(activity) : null;
  const since = secondsSince(activity.completedAt ?? activity.startedAt, now);
  return (
    <li>
      <details ref={details}>
        <summary>
          <Status tone={look.tone} shape={look.shape}>
            <span className="visually-hidden">{look.word}: </span>
          </Status>
          <span className="devops-past-name">{activity.operation}</span>
          <span className="devops-past-word">
            {look.word}
            {failed?.status === "failed" ? ` at ${failed.name}` : ""}
          </span>
          <span className="devops-past-took">{duration(took(activity, now))}</span>
          <time className="devops-past-when dim" dateTime={activity.completedAt ?? activity.startedAt}>
            {since === null ? "" : `${age(since)} ago`}
          </time>
        </summary>
        <div className="devops-past-steps">
          <p className="dim">
            {moment(activity.startedAt, now)} to {moment(activity.completedAt, now)}, id <code>{activity.id}</code>
          </p>
          <DevOpsStepList steps={activity.steps} now={now} />
          {activity.error ? <p className="devops-step-error">{activity.error}</p> : null}
        </div>
      </details>
    </li>
  );
}
