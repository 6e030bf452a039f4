import { useId, type ReactNode } from "react";

export interface PanelProps {
  title: ReactNode;
  /** Right of the title: figures, badges, buttons. */
  aside?: ReactNode;
  /** The colour of the border, for a panel that has something to say. */
  tone?: "bad" | "warn" | undefined;
  /** Without padding, for tables. */
  flush?: boolean;
  /** The grid area it stands in. */
  area?: string;
  children: ReactNode;
}

/** A titled region; its heading names it for screen readers. */
export function Panel({ title, aside, tone, flush = false, area, children }: PanelProps) {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id} data-tone={tone} style={area ? { gridArea: area } : undefined}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        {aside !== undefined && <div className="panel-aside">{aside}</div>}
      </header>
      <div className="panel-body" data-flush={flush ? "" : undefined}>
        {children}
      </div>
    </section>
  );
}
