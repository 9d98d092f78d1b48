/** Multicast groups in one answer, at most. */
export const shownGroups = 2000
