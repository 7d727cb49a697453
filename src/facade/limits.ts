/** Bytes of one message's headers, in both directions. Tokens of old Keystones have 8 KiB and more; Node's own bound is 16. */
export const maxHeaderSize = 64 * 1024;

/** Bytes of an answer that is looked at. A record has some kB; ten locations and all custom properties make no megabyte. */
export const maxRecord = 4 * 1024 * 1024;
