import { ApiFailure } from "../shared/api";
import { Button } from "../shared/Button";
import { StatusGlyph } from "../shared/StatusGlyph";
import type { Command } from "./commands";

/** Why a command was refused, with what to do next; until it is dismissed or another one is given. */
export function CommandError({ command }: { command: Command }) {
  if (!command.isError) return null;
  const { error } = command;
  // The dialog that asks for the token says it.
  if (error instanceof ApiFailure && error.code === "no_token") return null;
  return (
    <p className="command-error" role="alert">
      <StatusGlyph tone="bad" />
      <span>
        <strong>{command.variables.name}:</strong> {error.message}
        {error instanceof ApiFailure && error.hint ? ` ${error.hint}` : ""}
      </span>
      <Button look="quiet" square aria-label="Dismiss" onClick={() => command.reset()}>
        ✕
      </Button>
    </p>
  );
}
