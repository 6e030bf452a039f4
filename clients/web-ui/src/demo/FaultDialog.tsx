import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { useDaemonName, useLive } from "../live/useLive";
import type { FaultKind, FaultParam, Scalar } from "../live/records";
import { getJson } from "../shared/api";
import { Button } from "../shared/Button";
import { Modal } from "../shared/Drawer";
import { ErrorWithRetry, Skeleton } from "../shared/states";
import { StatusGlyph } from "../shared/StatusGlyph";
import { CommandError } from "./CommandError";
import type { Command } from "./commands";

interface Catalogue {
  kinds: FaultKind[];
}

/** Which fault, to whom, with which parameters, after which countdown. */
export function FaultDialog({ open, onClose, command }: { open: boolean; onClose: () => void; command: Command }) {
  return (
    <Modal
      open={open}
      onClose={onClose}
      title="Inject a fault"
      description="It is real. It can be stopped while it counts down, and undone with Recover."
    >
      {open && <Loader onClose={onClose} command={command} />}
    </Modal>
  );
}

function Loader({ onClose, command }: { onClose: () => void; command: Command }) {
  const daemon = useDaemonName();
  const { data, error, isPending, isFetching, refetch } = useQuery({
    queryKey: ["faults", daemon],
    queryFn: ({ signal }) => getJson<Catalogue>(`/api/faults/catalogue?daemon=${encodeURIComponent(daemon)}`, signal, ["kinds"]),
    enabled: daemon !== "",
  });
  if (isPending) return <Skeleton label="Loading the catalogue of faults" lines={5} />;
  if (!data) return <ErrorWithRetry what="The catalogue of faults" error={error} onRetry={() => void refetch()} retrying={isFetching} />;
  return <FaultForm kinds={data.kinds} onClose={onClose} command={command} />;
}

function FaultForm({ kinds, onClose, command }: { kinds: FaultKind[]; onClose: () => void; command: Command }) {
  const id = useId();
  const nodes = useLive((data) => data.state.nodes) ?? [];
  const first = kinds.find((one) => one.name === "kill" && !one.missing) ?? kinds.find((one) => !one.missing) ?? kinds[0];
  const [name, setName] = useState(first?.name ?? "");
  const [target, setTarget] = useState("");
  const [countdown, setCountdown] = useState("3");
  const [values, setValues] = useState<Record<string, string>>({});
  const faults = useLive((data) => data.state.faults.size) ?? 0;
  const before = useRef<number | null>(null);
  // The answer comes only once the fault is in force; that it was taken shows in the state before. A refusal stays here.
  useEffect(() => {
    if (before.current !== null && faults > before.current) onClose();
  }, [faults, onClose]);
  const kind = kinds.find((one) => one.name === name);
  const roles = [...new Set(nodes.map((node) => node.role))];
  if (!kind) return <p>This subject has no faults.</p>;
  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        before.current = faults;
        command.mutate({
          path: "faults",
          name: `${kind.name} ${target || "random"}`,
          body: { kind: kind.name, target: target || null, countdown: Number(countdown), params: params(kind, values) },
        });
      }}
    >
      <div className="field">
        <label htmlFor={`${id}-kind`}>Fault</label>
        <select
          id={`${id}-kind`}
          className="input"
          value={name}
          aria-describedby={`${id}-about`}
          onChange={(event) => {
            setName(event.target.value);
            setValues({});
          }}
        >
          {kinds.map((one) => (
            <option key={one.name} value={one.name} disabled={one.missing !== ""}>
              {one.name}
              {one.missing ? " (not available here)" : ""}
            </option>
          ))}
        </select>
        <span className="field-hint" id={`${id}-about`}>
          {sentence(kind.description)} Undone by {sentence(kind.undone_by)}
          {kind.outage ? " While it holds, the target serves nobody." : ""}
        </span>
      </div>
      <div className="field-row">
        <div className="field">
          <label htmlFor={`${id}-target`}>Target</label>
          <select id={`${id}-target`} className="input" value={target} onChange={(event) => setTarget(event.target.value)}>
            <option value="">random, of the role whose loss shows most</option>
            <optgroup label="Random node of a role">
              {roles.map((role) => (
                <option key={role}>{role}</option>
              ))}
            </optgroup>
            <optgroup label="Node">
              {nodes.map((node) => (
                <option key={node.id} value={node.id}>
                  {node.id} ({node.role}, {node.state})
                </option>
              ))}
            </optgroup>
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-countdown`}>Countdown, s</label>
          <input id={`${id}-countdown`} className="input" type="number" min="0" max="3600" step="1" required value={countdown} onChange={(event) => setCountdown(event.target.value)} />
        </div>
      </div>
      {kind.params.map((param) => (
        <ParamField key={`${kind.name}-${param.name}`} id={`${id}-${param.name}`} param={param} value={values[param.name] ?? asText(param.default)} onChange={(value) => setValues({ ...values, [param.name]: value })} />
      ))}
      {kind.missing && (
        <p className="field-error" role="alert">
          {kind.missing}
        </p>
      )}
      <CommandError command={command} />
      <div className="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" type="submit" busy={command.isPending} disabled={kind.missing !== ""}>
          <StatusGlyph tone="fault" /> {kind.name} {roles.includes(target) ? `a random ${target}` : target || "a random node"}
        </Button>
      </div>
    </form>
  );
}

/** With the full stop that the catalogue leaves out. */
const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

const asText = (value: Scalar) => (value === null ? "" : String(value));

/** Only what differs from the default is sent; the daemon reads numbers with units by itself. */
function params(kind: FaultKind, values: Record<string, string>): Record<string, Scalar> {
  const said: Record<string, Scalar> = {};
  for (const param of kind.params) {
    const value = values[param.name];
    if (value === undefined || value === asText(param.default)) continue;
    if (typeof param.default === "boolean") said[param.name] = value === "true";
    else if (typeof param.default === "number" && value.trim() !== "" && Number.isFinite(Number(value))) said[param.name] = Number(value);
    else said[param.name] = value;
  }
  return said;
}

function ParamField({ id, param, value, onChange }: { id: string; param: FaultParam; value: string; onChange: (value: string) => void }) {
  const choices = typeof param.default === "boolean" ? ["true", "false"] : param.choices;
  const range = [param.minimum === null ? "" : `from ${param.minimum}`, param.maximum === null ? "" : `to ${param.maximum}`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>
        {param.name}
        {param.unit ? `, ${param.unit}` : ""}
      </label>
      {choices.length > 0 ? (
        <select id={id} className="input" value={value} onChange={(event) => onChange(event.target.value)}>
          {choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : (
        <input id={id} className="input" value={value} onChange={(event) => onChange(event.target.value)} />
      )}
      <span className="field-hint">
        {param.meaning}
        {range ? ` (${range})` : ""}
      </span>
    </div>
  );
}
