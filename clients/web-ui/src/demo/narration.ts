const SENTENCE_ENDS = ".!?…:";

/** The text without the line breaks in the middle of its sentences; whoever wrote it did not know the width. */
export function reflowed(text: string): string {
  let joined = "";
  for (const line of text.split("\n")) {
    const last = joined.at(-1);
    const first = line.at(0);
    const within = last !== undefined && first !== undefined && !SENTENCE_ENDS.includes(last) && first === first.toLowerCase();
    joined += joined === "" ? line : within ? ` ${line}` : `\n${line}`;
  }
  return joined;
}

/** What makes a narration another one: a number that counts up in it does not. */
export function withoutFigures(text: string): string {
  return text.replaceAll(/\d+/g, "#");
}
