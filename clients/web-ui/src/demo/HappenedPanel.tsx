import { useLive } from "../live/useLive";
import { timeOfDay } from "../shared/format";
import { Panel } from "../shared/Panel";
import { EmptyState } from "../shared/states";
import { StatusGlyph, type Shape, type Tone } from "../shared/StatusGlyph";

const SHAPE: Partial<Record<Tone, Shape>> = { plain: "dot", info: "dot" };

/** What happened, the newest first. */
export function HappenedPanel() {
  const log = useLive((data) => data.story.log) ?? [];
  return (
    <Panel title="What happened">
      {log.length === 0 ? (
        <EmptyState title="Watching" compact>
          Changes appear here as they happen.
        </EmptyState>
      ) : (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        <ol className="happened" tabIndex={0} aria-label="What happened, the newest first">
          {log.toReversed().map((line) => (
            <li key={line.key} data-kind={line.kind}>
              <time dateTime={new Date(line.at).toISOString()}>{timeOfDay(line.at)}</time>
              <StatusGlyph tone={line.tone} {...(SHAPE[line.tone] ? { shape: SHAPE[line.tone] } : {})} />
              <span className={line.tone === "bad" || line.tone === "fault" ? `tone-${line.tone}` : undefined}>{line.text}</span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
