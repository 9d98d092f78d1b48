/** As JSON, so that control characters and quotes show, and never more than fits in a sentence. */
export const quote = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
