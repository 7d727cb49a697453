/** An image as a real Glance (Zed, single store, rbd) writes it. */
export const imageId = 'b59a5393-8081-4c2f-b3cf-9bba88698d34';
export const imageUrl = `rbd://53f5efaf-3d5f-4109-95cb-3a4c2279b254/images/${imageId}/snap`;

export function imageJson(change: object = {}): object {
  return {
    'owner_specified.openstack.md5': '',
    name: 'raw64',
    disk_format: 'raw',
    container_format: 'bare',
    visibility: 'public',
    size: 67108864,
    virtual_size: 67108864,
    status: 'active',
    checksum: '8a4ab7a615606263d4ce5f557129f30f',
    protected: false,
    min_ram: 0,
    min_disk: 1,
    owner: '452434ce14c240cc8904da4f1dc87285',
    os_hidden: false,
    os_hash_algo: 'sha512',
    os_hash_value:
      '1296b379350f1e5274ffa7241f7fd3506636f9fa916b1e2628b38ab2422ca6a7353de506535b41bbf94d286bc493bdd6e86321d705b4ff4a70642229a22a14be',
    id: imageId,
    created_at: '2026-11-22T06:08:43Z',
    updated_at: '2026-11-22T06:08:44Z',
    locations: [{url: imageUrl, metadata: {}}],
    direct_url: imageUrl,
    tags: [],
    self: `/v2/images/${imageId}`,
    file: `/v2/images/${imageId}/file`,
    schema: '/v2/schemas/image',
    ...change,
  };
}
