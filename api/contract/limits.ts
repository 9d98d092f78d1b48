/** Bytes of a backup that is put back, as JSON. */
export const maxBackupBytes = 256 << 20

/** Multicast groups in one answer, at most. */
export const shownGroups = 2000
