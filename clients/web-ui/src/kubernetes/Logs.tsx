import { useEffect, useId, useRef, useState } from "react";

import { Button } from "../shared/Button";
import { count } from "../shared/format";
import { EmptyState, ErrorWithRetry, Skeleton } from "../shared/states";
import type { LogTail } from "./types";

export interface LogsProps {
  /** undefined while it is awaited, or cannot be had */
  readonly log: LogTail | undefined;
  readonly error: unknown;
  readonly onRetry: () => void;
  readonly retrying: boolean;
  readonly containers: readonly string[];
  readonly container: string;
  readonly onContainer: (container: string) => void;
  /** the pod's name, for the file that is saved */
  readonly pod: string;
}

/** How near to its end a log counts as being read at its end, px. */
const END_PX = 24;

/** The last lines of a container. It follows the log until one scrolls up, and again from its end on. */
export function Logs({ log, error, onRetry, retrying, containers, container, onContainer, pod }: LogsProps) {
  const id = useId();
  const view = useRef<HTMLPreElement>(null);
  const [follows, setFollows] = useState(true);
  const [copied, setCopied] = useState<"" | "copied" | "refused">("");
  const text = log?.lines.join("\n") ?? "";

  useEffect(() => {
    if (follows && view.current) view.current.scrollTop = view.current.scrollHeight;
  }, [text, follows]);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(""), 3000);
    return () => clearTimeout(timer);
  }, [copied]);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied("copied");
    } catch {
      setCopied("refused");
    }
  };
  const save = () => {
    const url = URL.createObjectURL(new Blob([text + "\n"], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${pod}-${container}.log`;
    link.click();
    URL.revokeObjectURL(url);
  };

  return (
    <div className="kubernetes-logs">
      <div className="kubernetes-logs-bar">
        {containers.length > 1 ? (
          <>
            <label htmlFor={id} className="dim">
              Container
            </label>
            <select id={id} className="input" value={container} onChange={(event) => onContainer(event.target.value)}>
              {containers.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </>
        ) : (
          <span className="dim">{container}</span>
        )}
        <span className="dim" role="status">
          {copied === "copied" ? "Copied" : copied === "refused" ? "The browser refused to copy" : log ? count(log.lines.length, "line") : ""}
        </span>
        <span className="kubernetes-logs-buttons">
          <Button aria-pressed={follows} onClick={() => setFollows(!follows)}>
            {follows ? "Following" : "Follow"}
          </Button>
          <Button onClick={() => void copy()} aria-disabled={!text}>
            Copy
          </Button>
          <Button onClick={save} aria-disabled={!text}>
            Download
          </Button>
        </span>
      </div>
      {!log ? (
        error ? (
          <ErrorWithRetry what="The log" error={error} onRetry={onRetry} retrying={retrying} compact />
        ) : (
          <Skeleton label="Loading the log" lines={12} />
        )
      ) : log.problem !== null ? (
        <EmptyState title="The log cannot be read" tone="warn" compact>
          {log.problem}
        </EmptyState>
      ) : log.lines.length === 0 ? (
        <EmptyState title="The log is empty" compact />
      ) : (
        <>
          {error ? <p className="tone-warn">The log could not be read again; this is what it was before.</p> : null}
          {log.truncated ? <p className="dim">Older lines are left out: they were too many bytes.</p> : null}
          <pre
            ref={view}
            // A scrolling region has to be reachable by keyboard.
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
            tabIndex={0}
            role="region"
            aria-label={`Log of ${container}`}
            onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) =>
              setFollows(scrollHeight - scrollTop - clientHeight < END_PX)
            }
          >
            {text}
          </pre>
        </>
      )}
    </div>
  );
}
