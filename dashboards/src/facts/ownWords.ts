/** A text of staff as its student reads it: the word that alarms becomes the one that offers. */
export function ownWords(text: string): string {
  return text
    .replaceAll("预警", "提醒")
    .replace(/\bwarnings\b/g, "notices").replace(/\bWarnings\b/g, "Notices")
    .replace(/\bwarning\b/g, "notice").replace(/\bWarning\b/g, "Notice");
}
