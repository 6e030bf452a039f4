import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { getJson } from "../shared/api";
import { Button } from "../shared/Button";
import { useDaemonName, useLive } from "../live/useLive";
import type { ChapterState, Fault } from "../live/records";
import { Badge, Status, StatusGlyph } from "../shared/StatusGlyph";
import { CommandError } from "./CommandError";
import { underWay, useCommand } from "./commands";
import { FaultDialog } from "./FaultDialog";
import { reflowed, withoutFigures } from "./narration";

interface ChapterList {
  chapters: { index: number; title: string | null }[];
}

/** The story: which chapter, what happens and what to watch, the countdown, and the way on and back. */
export function Chapter() {
  const chapter = useLive((data) => data.state.demo);
  const faults = useLive((data) => data.state.faults);
  const command = useCommand();
  const [dialog, setDialog] = useState(false);
  const close = useCallback(() => setDialog(false), []);
  const all = [...(faults?.values() ?? [])];
  const counting = all.find((fault) => fault.state === "countdown" && fault.remaining);
  return (
    <section className="chapter" aria-label="The story" data-counting={counting ? "" : undefined}>
      {chapter ? (
        <>
          <Progress index={chapter.index} total={chapter.total} onGo={(index) => command.mutate({ path: "demo/goto", body: { chapter: index }, name: "Go to chapter" })} />
          <div className="chapter-text">
            <h2>
              <span className="dim">
                {chapter.index + 1}/{chapter.total}
              </span>{" "}
              {chapter.title}
            </h2>
            <p className="chapter-narration">{reflowed(chapter.narration)}</p>
            <Announcement chapter={chapter} />
            <p className="chapter-foot">
              {chapter.expectation_met === true && <Badge tone="good">as expected</Badge>}
              {chapter.expectation_met === false && !chapter.busy && <Badge tone="warn">not seen yet</Badge>}
              {chapter.busy && (
                <Status tone="info" shape="spinner">
                  {counting ? "counting down" : "working, one moment"}
                </Status>
              )}
            </p>
          </div>
        </>
      ) : (
        <div className="chapter-text">
          <h2>Live</h2>
          <p className="chapter-narration">
            No demo is running here; what you see is live. <code>operatord demo</code> tells a story.
          </p>
        </div>
      )}
      {counting && <Countdown fault={counting} />}
      <div className="chapter-buttons">
        {chapter && (
          <>
            <Button busy={underWay(command, "demo/previous")} disabled={chapter.index === 0} onClick={() => command.mutate({ path: "demo/previous", name: "Previous chapter" })}>
              ← Previous
            </Button>
            <Button
              look="primary"
              busy={underWay(command, "demo/next")}
              disabled={chapter.index >= chapter.total - 1}
              aria-disabled={chapter.busy}
              onClick={() => command.mutate({ path: "demo/next", name: "Next chapter" })}
            >
              Next →
            </Button>
          </>
        )}
        <Button look="danger" onClick={() => {
            command.reset();
            setDialog(true);
          }}>
          <StatusGlyph tone="fault" /> Inject a fault
        </Button>
        <Button
          busy={underWay(command, "faults/recover")}
          aria-disabled={all.length === 0}
          title={all.length === 0 ? "Nothing is owed" : `Undo ${all.map((fault) => `${fault.kind} ${fault.target}`).join(", ")}`}
          onClick={() => command.mutate({ path: "faults/recover", name: "Recover" })}
        >
          {counting ? "Stop the countdown" : "Recover"}
        </Button>
      </div>
      {!dialog && <CommandError command={command} />}
      <FaultDialog open={dialog} onClose={close} command={command} />
    </section>
  );
}

/** What a screen reader says: each chapter and each turn in its narration once, not every figure that moves. */
function Announcement({ chapter }: { chapter: ChapterState }) {
  const text = `${chapter.title}. ${chapter.narration}`;
  const [said, setSaid] = useState(text);
  if (withoutFigures(said) !== withoutFigures(text)) setSaid(text);
  return (
    <span className="visually-hidden" role="status">
      {said}
    </span>
  );
}

function Countdown({ fault }: { fault: Fault }) {
  return (
    <div className="countdown" role="timer" aria-live="assertive" aria-atomic="true">
      <span className="countdown-digits" key={fault.remaining}>
        {fault.remaining}
      </span>
      <span className="countdown-what">
        {fault.kind} {fault.target}
        <span className="visually-hidden"> in {fault.remaining} seconds</span>
      </span>
    </div>
  );
}

function Progress({ index, total, onGo }: { index: number; total: number; onGo: (index: number) => void }) {
  const daemon = useDaemonName();
  const { data } = useQuery({
    // The titles are those that were seen so far, so they are asked for again as the story goes on.
    queryKey: ["chapters", daemon, index],
    queryFn: ({ signal }) => getJson<ChapterList>(`/api/chapters?daemon=${encodeURIComponent(daemon)}`, signal, ["chapters"]),
    enabled: daemon !== "",
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (before) => before,
  });
  if (total < 1 || total > 20) return null;
  return (
    <ol className="chapter-progress" aria-label="Chapters">
      {Array.from({ length: total }, (_, position) => {
        const title = data?.chapters[position]?.title ?? "";
        const name = `Chapter ${position + 1}${title ? `: ${title}` : ""}`;
        return (
          <li key={position}>
            <button
              type="button"
              aria-label={name}
              title={name}
              aria-current={position === index ? "step" : undefined}
              data-done={position < index ? "" : undefined}
              onClick={() => onGo(position)}
            />
          </li>
        );
      })}
    </ol>
  );
}
