import { duration } from "../shared/format";
import { StatusGlyph, type Shape, type Tone } from "../shared/StatusGlyph";
import { took, type DevOpsStep, type StepStatus } from "./activity";

const LOOK: Record<StepStatus, { tone: Tone; shape: Shape; word: string }> = {
  completed: { tone: "good", shape: "check", word: "done" },
  running: { tone: "info", shape: "spinner", word: "running" },
  pending: { tone: "plain", shape: "circle", word: "waiting" },
  failed: { tone: "bad", shape: "cross", word: "failed" },
};

/** The steps of an operation in their order: check, spinner, circle, or cross with the error. */
export function DevOpsStepList({ steps, now }: { steps: readonly DevOpsStep[]; now: number }) {
  return (
    <ol className="devops-steps">
      {steps.map((step, position) => {
        const look = LOOK[step.status];
        const seconds = step.status === "pending" ? null : took(step, now);
        return (
          <li key={`${position}-${step.name}`} className="devops-step" data-status={step.status}>
            {/* A new element for each status, so that the change is seen to happen. */}
            <span className="devops-step-glyph" key={step.status}>
              <StatusGlyph tone={look.tone} shape={look.shape} label={look.word} />
            </span>
            <span className="devops-step-name">{step.name}</span>
            {seconds !== null && <span className="devops-step-time">{duration(seconds)}</span>}
            {step.error ? <span className="devops-step-error">{step.error}</span> : null}
          </li>
        );
      })}
    </ol>
  );
}
