/** Strings in trace text: printable ASCII as it stands, the rest as backslash escapes. */

/** Escapes backslashes, control characters and everything outside ASCII (`\xNN`, `\uNNNN` per UTF-16 unit). */
export function escapeText(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x5c) out += '\\\\';
    else if (unit >= 0x20 && unit < 0x7f) out += text[i];
    else if (unit < 0x100) out += `\\x${unit.toString(16).padStart(2, '0')}`;
    else out += `\\u${unit.toString(16).padStart(4, '0')}`;
  }
  return out;
}

/** Undoes {@link escapeText}; a backslash that starts no escape stands for itself. */
export function unescapeText(text: string): string {
  return text.replace(/\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4}))/g, (_all, two?: string, four?: string) =>
    two !== undefined || four !== undefined
      ? String.fromCharCode(Number.parseInt(two ?? four ?? '', 16))
      : '\\',
  );
}
