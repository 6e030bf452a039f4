import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../shared/Button";
import { Modal } from "../shared/Drawer";
import { checkToken, useSession } from "../shared/session";

/** Asks for the control token, and has the gateway check it. It is kept in this tab only. */
export function TokenDialog() {
  const { asking, dismiss } = useSession();
  return (
    <Modal
      open={asking !== null}
      onClose={dismiss}
      title="Control token"
      description="Without it everything can be seen and nothing changed."
    >
      {asking && <TokenForm because={asking.because} />}
    </Modal>
  );
}

function TokenForm({ because }: { because: string }) {
  const { setToken, dismiss } = useSession();
  const [text, setText] = useState("");
  const check = useMutation({ mutationFn: checkToken, onSuccess: (_, token) => setToken(token) });
  const token = text.trim();
  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (token) check.mutate(token);
      }}
    >
      {because && <p>{because}</p>}
      <div className="field">
        <label htmlFor="token">Token</label>
        <input
          id="token"
          className="input mono"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={text}
          aria-invalid={check.isError}
          aria-describedby="token-hint"
          onChange={(event) => setText(event.target.value)}
        />
        <span className="field-hint" id="token-hint">
          It is in the address that the viewer shows (<code>?</code>) and that the gateway prints in a terminal; there{" "}
          <code>operator-web token show</code> prints it, too. This tab keeps it until it is closed.
        </span>
        {check.isError && (
          <span className="field-error" role="alert">
            {check.error.message}
          </span>
        )}
      </div>
      <div className="dialog-foot">
        <Button onClick={dismiss}>Cancel</Button>
        <Button look="primary" type="submit" busy={check.isPending} disabled={!token}>
          Use this token
        </Button>
      </div>
    </form>
  );
}
