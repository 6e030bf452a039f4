import type { ButtonHTMLAttributes } from "react";
import { StatusGlyph } from "./StatusGlyph";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** `primary` for the one thing to do next, `danger` for what breaks something, `quiet` without a border. */
  look?: "plain" | "primary" | "danger" | "quiet";
  /** Shows a spinner, and ignores presses; keeps the focus, unlike `disabled`. */
  busy?: boolean;
  /** Only an icon; needs `aria-label`. */
  square?: boolean;
  ref?: React.Ref<HTMLButtonElement>;
}

/** A button; `type="button"` unless told otherwise. */
export function Button({ look = "plain", busy = false, square = false, children, onClick, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className="button"
      data-look={look}
      data-square={square ? "" : undefined}
      aria-disabled={busy ? true : rest["aria-disabled"]}
      onClick={(event) => {
        if (busy || rest["aria-disabled"] === true) {
          event.preventDefault();
          return;
        }
        onClick?.(event);
      }}
    >
      {busy && <StatusGlyph tone="plain" shape="spinner" />}
      {children}
    </button>
  );
}
