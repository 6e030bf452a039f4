import { useState } from "react";
import type { Action, ActionStatus } from "../live/records";
import { useServerNow } from "../live/useLive";
import { Button } from "../shared/Button";
import { Modal } from "../shared/Drawer";
import { age } from "../shared/format";
import { Badge, StatusGlyph, type Shape, type Tone } from "../shared/StatusGlyph";
import { CommandError } from "./CommandError";
import { underWay, useCommand } from "./commands";
import { RISK_TONE } from "./looks";

const LOOK: Record<ActionStatus, { tone: Tone; shape?: Shape }> = {
  proposed: { tone: "warn", shape: "question" },
  approved: { tone: "info", shape: "dot" },
  running: { tone: "info", shape: "spinner" },
  succeeded: { tone: "good" },
  failed: { tone: "bad" },
  rejected: { tone: "plain", shape: "cross" },
  expired: { tone: "plain" },
};

/** What is, or was, to be done: the newest first, with the decision where one is due. */
export function Actions({ actions }: { actions: readonly Action[] }) {
  if (actions.length === 0) return null;
  return (
    <ul className="actions" aria-label="Actions">
      {[...actions]
        .sort((a, b) => b.id - a.id)
        .map((action) => (
          <ActionCard key={action.id} action={action} />
        ))}
    </ul>
  );
}

function ActionCard({ action }: { action: Action }) {
  const command = useCommand();
  const now = useServerNow();
  const [asking, setAsking] = useState(false);
  const look = LOOK[action.status];
  const what = `${action.kind} ${action.target}`;
  const approvePath = `actions/${action.id}/approve`;
  const rejectPath = `actions/${action.id}/reject`;
  const approve = () => {
    setAsking(false);
    command.mutate({ path: approvePath, name: `Approve ${what}` });
  };
  const left = action.expires_at === null ? null : action.expires_at - now / 1000;
  return (
    <li className="action" data-status={action.status} data-action={action.id}>
      <span className="action-head">
        <StatusGlyph tone={look.tone} {...(look.shape ? { shape: look.shape } : {})} />
        <strong>{what}</strong>
        <Badge tone={RISK_TONE[action.risk]} glyph={false}>
          {action.risk}
        </Badge>
        <span className={`tone-${look.tone}`}>{action.status === "proposed" ? "waits for a decision" : action.status}</span>
        <span className="dim">
          {action.status === "proposed" && left !== null ? `${age(Math.max(0, left))} left` : action.decided_by ? `by ${action.decided_by}` : ""}
        </span>
      </span>
      {(action.result || action.reason) && <span className="dim">{action.result || action.reason}</span>}
      {action.status === "proposed" && (
        <span className="action-buttons">
          <Button
            look="primary"
            busy={underWay(command, approvePath)}
            aria-label={`Approve ${what}`}
            onClick={() => (action.risk === "destructive" ? setAsking(true) : approve())}
          >
            Approve
          </Button>
          <Button busy={underWay(command, rejectPath)} aria-label={`Reject ${what}`} onClick={() => command.mutate({ path: rejectPath, body: { reason: "" }, name: `Reject ${what}` })}>
            Reject
          </Button>
          {action.expected && <span className="dim">{action.expected}</span>}
        </span>
      )}
      <CommandError command={command} />
      <Modal open={asking} onClose={() => setAsking(false)} title={`Approve ${what}?`} description="Its risk is destructive: it cannot be taken back.">
        <p>{action.reason}</p>
        <div className="dialog-foot">
          <Button onClick={() => setAsking(false)}>Cancel</Button>
          <Button look="danger" onClick={approve}>
            Approve {what}
          </Button>
        </div>
      </Modal>
    </li>
  );
}
