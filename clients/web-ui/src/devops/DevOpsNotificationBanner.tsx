import { useQuery } from "@tanstack/react-query";
import { useEffect, useReducer, useState } from "react";
import { Link } from "react-router";
import { useDaemonName, useLive } from "../live/useLive";
import { Button } from "../shared/Button";
import { count } from "../shared/format";
import { StatusGlyph, type Shape, type Tone } from "../shared/StatusGlyph";
import { activityQuery, currentStep, type ActivityAnswer, type ActivityStatus, type DevOpsActivity } from "./activity";
import { banners, dismissal, remember, type Memory } from "./banners";
import { useDismissed } from "./dismissed";
import "./devops.css";

const LOOK: Record<ActivityStatus, { tone: Tone; shape: Shape; word: string }> = {
  in_progress: { tone: "info", shape: "spinner", word: "in progress" },
  completed: { tone: "good", shape: "check", word: "completed" },
  failed: { tone: "bad", shape: "cross", word: "failed" },
};

/**
 * On every page: what is being done to the system. Blue while it runs, green for ten seconds after it succeeded, red
 * until it is dismissed when it failed. Dismissing hides the line; the panel keeps everything.
 */
export function DevOpsNotificationBanner() {
  const { data } = useQuery(activityQuery(useDaemonName()));
  return data ? <Lines answer={data} /> : null;
}

const NONE: ReadonlyMap<string, Memory> = new Map();

function Lines({ answer }: { answer: ActivityAnswer }) {
  const offset = useLive((live) => live.clockOffsetMs) ?? 0;
  const { dismissed, dismiss } = useDismissed();
  const [, look] = useReducer((times: number) => times + 1, 0);
  const [known, setKnown] = useState<{ answer: ActivityAnswer | null; memory: ReadonlyMap<string, Memory> }>({
    answer: null,
    memory: NONE,
  });
  // eslint-disable-next-line react-hooks/purity -- whether ten seconds have passed is a matter of the clock
  const now = Date.now();
  if (known.answer !== answer) setKnown({ answer, memory: remember(known.memory, answer, now + offset, now) });
  const { shown, more, againInMs } = banners(answer, known.memory, dismissed, now);

  useEffect(() => {
    if (againInMs === null) return;
    const timer = setTimeout(look, againInMs + 20);
    return () => clearTimeout(timer);
  });

  return (
    <div className="banners">
      {shown.map((activity) => (
        <Line key={activity.id} activity={activity} onDismiss={() => dismiss(dismissal(activity))} />
      ))}
      {more > 0 && (
        <p className="banner-more">
          <Link to="/devops">{count(more, "more operation")}</Link>
        </p>
      )}
    </div>
  );
}

function Line({ activity, onDismiss }: { activity: DevOpsActivity; onDismiss: () => void }) {
  const look = LOOK[activity.status];
  const step = currentStep(activity);
  const position = step ? activity.steps.indexOf(step) + 1 : 0;
  const failed = activity.status === "failed";
  const detail = failed
    ? [step?.status === "failed" ? step.name : "", step?.error ?? activity.error ?? ""].filter(Boolean).join(": ")
    : activity.status === "in_progress" && step
      ? `step ${position} of ${activity.steps.length}: ${step.name}`
      : "";
  return (
    <div className="banner" data-tone={look.tone} data-testid="devops-banner" data-status={activity.status}>
      <Link className="banner-link" to={`/devops?activity=${encodeURIComponent(activity.id)}`}>
        <StatusGlyph tone={look.tone} shape={look.shape} />
        <span role={failed ? "alert" : "status"}>
          <strong>{activity.operation}</strong> {look.word}
          {detail && <span className="banner-detail">{detail}</span>}
        </span>
      </Link>
      <Button look="quiet" square aria-label={`Dismiss: ${activity.operation} ${look.word}`} onClick={onDismiss}>
        ✕
      </Button>
    </div>
  );
}
