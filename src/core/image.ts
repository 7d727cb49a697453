/** A Glance image as far as cellar looks at it. Sizes are bytes; hashes are lower-case hex of the file as stored in Glance. */
export type ImageRecord = {
  id: string;
  name: string;
  status: string;
  diskFormat: string | undefined;
  containerFormat: string | undefined;
  /** Bytes of the file, not of the disk in it. */
  size: number | undefined;
  /** Bytes of the disk in the file, where Glance knows. */
  virtualSize: number | undefined;
  /** md5 of the file, or undefined for an image registered by location. */
  checksum: string | undefined;
  osHashAlgo: string | undefined;
  osHashValue: string | undefined;
  /** GiB. */
  minDisk: number;
  /** In Glance's order. Empty where the deployment hides them. */
  locations: ImageLocation[];
};

export type ImageLocation = {url: string; metadata: Record<string, unknown>};

/** Whose rights a request to Glance uses: the requester's own token, or (no token) the agent's service user. */
export type Requester = {token?: string; requestId?: string};
