/** The shapes of state. Each tone has its own, so that nothing is told by colour alone. */

export type Tone = "good" | "warn" | "bad" | "info" | "fault" | "plain";

export type Shape = "check" | "cross" | "circle" | "spinner" | "dot" | "half" | "triangle" | "question" | "bolt" | "star";

const SHAPE_OF: Record<Tone, Shape> = {
  good: "check",
  warn: "triangle",
  bad: "cross",
  info: "dot",
  fault: "bolt",
  plain: "circle",
};

export interface StatusGlyphProps {
  tone: Tone;
  /** Overrides the tone's own shape; `spinner` turns, and stands still under reduced motion. */
  shape?: Shape;
  /** The word for those who do not see it. Leave it out only where the word stands beside the glyph. */
  label?: string;
}

/** A small shape in its tone's colour, as high as the text. */
export function StatusGlyph({ tone, shape = SHAPE_OF[tone], label }: StatusGlyphProps) {
  return (
    <svg
      className={`glyph tone-${tone}`}
      viewBox="0 0 16 16"
      data-shape={shape}
      data-spins={shape === "spinner" ? "" : undefined}
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}
    >
      {draw(shape)}
    </svg>
  );
}

function draw(shape: Shape) {
  const stroke = { fill: "none", stroke: "currentColor", strokeWidth: 2, strokeLinecap: "round", strokeLinejoin: "round" } as const;
  switch (shape) {
    case "check":
      return (
        <g {...stroke}>
          <circle cx="8" cy="8" r="6.5" strokeWidth="1.5" />
          <path d="M5 8.3 7.2 10.5 11 5.9" />
        </g>
      );
    case "cross":
      return (
        <g>
          <circle cx="8" cy="8" r="7" fill="currentColor" />
          <path d="M5.4 5.4 10.6 10.6M10.6 5.4 5.4 10.6" {...stroke} stroke="var(--bg-raised)" />
        </g>
      );
    case "circle":
      return <circle cx="8" cy="8" r="6" {...stroke} strokeWidth="1.6" />;
    case "spinner":
      return (
        <g {...stroke}>
          <circle cx="8" cy="8" r="6" opacity="0.25" />
          <path d="M8 2a6 6 0 0 1 6 6" />
        </g>
      );
    case "dot":
      return <circle cx="8" cy="8" r="5" fill="currentColor" />;
    case "half":
      return (
        <g>
          <circle cx="8" cy="8" r="6" {...stroke} strokeWidth="1.6" />
          <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
        </g>
      );
    case "triangle":
      return (
        <g {...stroke} strokeWidth="1.6">
          <path d="M8 2 14.5 13.5H1.5z" />
          <path d="M8 6.6v3.1M8 11.7v.1" />
        </g>
      );
    case "question":
      return (
        <g {...stroke} strokeWidth="1.6">
          <circle cx="8" cy="8" r="6.5" />
          <path d="M6.2 6.4a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2M8 11.6v.1" />
        </g>
      );
    case "bolt":
      return <path d="M9.2 1 3 9.2h4L6.4 15 13 6.6H8.8z" fill="currentColor" />;
    case "star":
      return <path d="m8 1.3 2 4.3 4.7.6-3.4 3.2.9 4.7L8 11.8l-4.2 2.3.9-4.7L1.3 6.2 6 5.6z" fill="currentColor" />;
  }
}

export interface StatusProps extends Omit<StatusGlyphProps, "label"> {
  /** The word, shown beside the glyph. */
  children: React.ReactNode;
}

/** A glyph with its word. */
export function Status({ tone, shape, children }: StatusProps) {
  return (
    <span className={`status tone-${tone}`}>
      <StatusGlyph tone={tone} {...(shape ? { shape } : {})} />
      <span>{children}</span>
    </span>
  );
}

/** A pill with a word, and with a glyph unless `glyph` is false. */
export function Badge({ tone, children, glyph = true, title }: { tone: Tone; children: React.ReactNode; glyph?: boolean; title?: string }) {
  return (
    <span className="badge" data-tone={tone} title={title}>
      {glyph && <StatusGlyph tone={tone} />}
      {children}
    </span>
  );
}
