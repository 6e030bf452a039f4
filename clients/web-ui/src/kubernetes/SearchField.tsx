import { useEffect, useId, useState } from "react";

export interface SearchFieldProps {
  readonly label: string;
  readonly placeholder?: string;
  /** what is searched for, as the address says */
  readonly value: string;
  readonly onSearch: (text: string) => void;
  readonly delayMs?: number;
}

/** A field whose text counts once the typing has paused; Enter does not wait. */
export function SearchField({ label, placeholder, value, onSearch, delayMs = 250 }: SearchFieldProps) {
  const id = useId();
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const [sent, setSent] = useState(value);
  if (value !== seen) {
    // The address changed. Only when it says something that was not typed here (Back, a link) does the field follow.
    setSeen(value);
    if (value !== sent) {
      setSent(value);
      setText(value);
    }
  }
  const send = (what: string) => {
    setSent(what);
    onSearch(what);
  };
  useEffect(() => {
    if (text === sent) return;
    const timer = setTimeout(() => {
      setSent(text);
      onSearch(text);
    }, delayMs);
    return () => clearTimeout(timer);
  }, [text, sent, delayMs, onSearch]);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input"
        type="search"
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && text !== sent) send(text);
        }}
      />
    </div>
  );
}
