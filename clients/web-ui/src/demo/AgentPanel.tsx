import { useEffect, useRef } from "react";
import { useLive } from "../live/useLive";
import type { AgentStep, Diagnosis } from "../live/records";
import { foremostWork, type Work } from "../live/story";
import { count, duration } from "../shared/format";
import { Panel } from "../shared/Panel";
import { EmptyState, Skeleton } from "../shared/states";
import { Badge, Status, StatusGlyph, type Tone } from "../shared/StatusGlyph";
import { Actions } from "./Actions";
import { RISK_TONE } from "./looks";

const SURE = 0.75;
const UNSURE = 0.4;

const STEP: Record<AgentStep["kind"], { mark: string; tone: Tone }> = {
  evidence: { mark: "◇", tone: "info" },
  thought: { mark: "~", tone: "plain" },
  tool: { mark: "›", tone: "fault" },
  result: { mark: "=", tone: "good" },
};

const NONE = new Map<number, never>();

/** What the agent does, step by step, then its diagnosis, and what is to be done. `ticket` is the one that was chosen. */
export function AgentPanel({ ticket, chosen, loading }: { ticket: number | null; chosen: Diagnosis | null; loading: boolean }) {
  const works = useLive((data) => data.story.works);
  const current = useLive((data) => foremostWork(data.story, data.state.tickets));
  const open = useLive((data) => data.state.tickets) ?? NONE;
  const known = ticket === null ? current : (works?.get(ticket) ?? null);
  const work: Work | null =
    known ?? (ticket === null ? null : { ticket, steps: [], diagnosis: null, actions: new Map() });
  const diagnosis = work?.diagnosis ?? (work && work.ticket === ticket ? chosen : null);
  const thinking = work !== null && diagnosis === null && open.has(work.ticket);
  return (
    <Panel
      title={work ? `Agent, ticket #${work.ticket}` : "Agent"}
      aside={
        thinking ? (
          <Status tone="info" shape="spinner">
            thinking
          </Status>
        ) : diagnosis ? (
          <span>by {diagnosis.source}</span>
        ) : undefined
      }
    >
      {!work ? (
        <EmptyState title="Watching. Nothing to diagnose." tone="good" compact>
          The agent begins when a ticket is opened.
        </EmptyState>
      ) : (
        <div className="stack">
          <Actions actions={[...work.actions.values()]} />
          {diagnosis ? <DiagnosisView diagnosis={diagnosis} /> : loading ? <Skeleton label="Loading the diagnosis" lines={6} /> : <Steps steps={work.steps} waiting={thinking} />}
          {diagnosis && work.steps.length > 0 && (
            <details className="more">
              <summary>{count(work.steps.length, "step")} of the agent</summary>
              <Steps steps={work.steps} waiting={false} />
            </details>
          )}
        </div>
      )}
    </Panel>
  );
}

function Steps({ steps, waiting }: { steps: readonly AgentStep[]; waiting: boolean }) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    // The newest is at the bottom, and stays in sight unless somebody scrolled up.
    const element = list.current;
    if (element && element.scrollHeight - element.scrollTop - element.clientHeight < 120) element.scrollTop = element.scrollHeight;
  }, [steps.length]);
  if (steps.length === 0) return <p className="dim">{waiting ? "Reading the dossier…" : "No diagnosis was made."}</p>;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <ol className="steps" ref={list} tabIndex={0} aria-label="Steps of the agent">
      {steps.map((step, position) => (
        <li key={position} data-kind={step.kind}>
          <span className={`steps-mark tone-${STEP[step.kind].tone}`} aria-hidden="true">
            {STEP[step.kind].mark}
          </span>
          <span className={`steps-kind tone-${STEP[step.kind].tone}`}>{step.kind}</span>
          <span>{step.text}</span>
        </li>
      ))}
    </ol>
  );
}

/** Cause, confidence, what speaks for it, what was ruled out and why, what to do. */
export function DiagnosisView({ diagnosis }: { diagnosis: Diagnosis }) {
  const sure: Tone = diagnosis.confidence >= SURE ? "good" : diagnosis.confidence >= UNSURE ? "warn" : "bad";
  const evidence = new Map(diagnosis.evidence.map((item) => [item.id, item]));
  const uncited = diagnosis.evidence.filter((item) => !diagnosis.cited.includes(item.id));
  const cost = diagnosis.usage["cost_usd"];
  const took = diagnosis.usage["took_s"];
  return (
    <div className="diagnosis">
      {diagnosis.preliminary && (
        <p>
          <Status tone="warn" shape="spinner">
            preliminary: a first answer, the agent looks again
          </Status>
        </p>
      )}
      <h3 className="diagnosis-summary">{diagnosis.summary}</h3>
      <dl className="diagnosis-head">
        <div>
          <dt>cause</dt>
          <dd>
            <strong className="tone-bad">{diagnosis.cause}</strong>
            {diagnosis.component && ` on ${diagnosis.component}`}
          </dd>
        </div>
        <div>
          <dt>sure</dt>
          <dd>
            <span className={`meter tone-${sure}`}>
              <span aria-hidden="true">
                <span style={{ width: `${Math.round(diagnosis.confidence * 100)}%` }} />
              </span>
              <span>{Math.round(diagnosis.confidence * 100)} %</span>
            </span>
          </dd>
        </div>
        {(typeof cost === "number" || typeof took === "number") && (
          <div>
            <dt>took</dt>
            <dd>
              {typeof took === "number" ? duration(took) : ""}
              {typeof cost === "number" ? ` $${cost.toFixed(4)}` : ""}
            </dd>
          </div>
        )}
      </dl>
      {diagnosis.hypotheses.length > 0 && (
        <Section title="Not settled yet">
          <ul className="reasons">
            {diagnosis.hypotheses.map((one) => (
              <li key={one.cause}>
                <span aria-hidden="true">?</span>
                <span>
                  <span className="reason-cause">{one.cause}</span>{" "}
                  {one.confidence === null ? "not shown, and not ruled out" : `${Math.round(one.confidence * 100)} % sure`}
                  {one.waits_for && `; waits to see whether ${one.waits_for}`}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {diagnosis.blast_radius && (
        <Section title="Reach">
          <p>{diagnosis.blast_radius}</p>
        </Section>
      )}
      {diagnosis.explanation && (
        <Section title="Why">
          <p>{diagnosis.explanation}</p>
        </Section>
      )}
      {diagnosis.cited.length > 0 && (
        <Section title="Because">
          <ul className="reasons">
            {diagnosis.cited.map((id) => (
              <li key={id}>
                <StatusGlyph tone="good" />
                <span>
                  <span className="reason-id">[{id}]</span> <Observation text={evidence.get(id)?.text ?? "(not among the evidence)"} />
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {diagnosis.alternatives.length > 0 && (
        <Section title="Ruled out">
          <ul className="reasons">
            {diagnosis.alternatives.map((one) => (
              <li key={one.cause}>
                <StatusGlyph tone="plain" shape="cross" />
                <span>
                  <span className="reason-cause">{one.cause}</span> {one.rejected_because} {one.evidence.map((id) => `[${id}]`).join(" ")}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {diagnosis.actions.length > 0 && (
        <Section title="Recommended">
          <ul className="reasons">
            {diagnosis.actions.map((one) => (
              <li key={`${one.kind}-${one.target}`}>
                <span aria-hidden="true">→</span>
                <span>
                  <span className="reason-cause">
                    {one.kind} {one.target}
                  </span>{" "}
                  <Badge tone={RISK_TONE[one.risk]} glyph={false}>
                    {one.risk}
                  </Badge>{" "}
                  {one.expected}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {diagnosis.would_change_my_mind && (
        <p className="dim">
          <strong>What would change this:</strong> {diagnosis.would_change_my_mind}
        </p>
      )}
      {diagnosis.remarks.map((remark) => (
        <p key={remark} className="remark">
          <StatusGlyph tone="warn" /> {remark}
        </p>
      ))}
      {diagnosis.timeline.length > 0 && (
        <details className="more">
          <summary>Timeline</summary>
          <ol className="timeline">
            {diagnosis.timeline.map((entry, position) => (
              <li key={position}>{entry}</li>
            ))}
          </ol>
        </details>
      )}
      {uncited.length > 0 && (
        <details className="more">
          <summary>{count(uncited.length, "more piece", "more pieces")} of evidence, not cited</summary>
          <ul className="reasons">
            {uncited.map((item) => (
              <li key={item.id}>
                <span className="dim" aria-hidden="true">
                  ·
                </span>
                <span>
                  <span className="reason-id">
                    [{item.id}] {item.kind}
                  </span>{" "}
                  <Observation text={item.text} />
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

/** A line of block characters, as evidence has them for a terminal, drawn as a small picture and not as text. */
function Observation({ text }: { text: string }) {
  const [before = "", bars, after] = text.split(/([\u2581-\u2588]{3,})/, 3);
  if (!bars) return <>{text}</>;
  return (
    <>
      {before}
      <span className="bars" aria-hidden="true">
        {bars}
      </span>
      {after}
    </>
  );
}

function Section({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section>
      <h4>{title}</h4>
      {children}
    </section>
  );
}
