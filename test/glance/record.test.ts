import test from 'ava';
import {CellarError, type ErrorKind} from '../../src/core/errors.ts';
import {checkImageId, parseLocations, parseRecord} from '../../src/glance/record.ts';
import {imageId, imageJson, imageUrl} from '../helpers/glance-image.ts';

test('a record of a real Glance', t => {
  t.deepEqual(parseRecord(imageJson(), imageId), {
    id: imageId,
    name: 'raw64',
    status: 'active',
    diskFormat: 'raw',
    containerFormat: 'bare',
    size: 67108864,
    virtualSize: 67108864,
    checksum: '8a4ab7a615606263d4ce5f557129f30f',
    osHashAlgo: 'sha512',
    osHashValue:
      '1296b379350f1e5274ffa7241f7fd3506636f9fa916b1e2628b38ab2422ca6a7353de506535b41bbf94d286bc493bdd6e86321d705b4ff4a70642229a22a14be',
    minDisk: 1,
    locations: [{url: imageUrl, metadata: {}}],
  });
});

test('what is null or not there is undefined, and no text is lost to upper case', t => {
  const nothing = {
    name: null,
    disk_format: null,
    container_format: null,
    size: null,
    virtual_size: null,
    checksum: null,
  };
  const record = parseRecord(
    imageJson({...nothing, os_hash_algo: null, os_hash_value: 'ABCDEF', min_disk: undefined}),
    imageId,
  );
  t.like(record, {name: '', minDisk: 0, osHashValue: 'abcdef'});
  for (const field of ['diskFormat', 'containerFormat', 'size', 'virtualSize', 'checksum', 'osHashAlgo'] as const)
    t.is(record[field], undefined);
});

test("locations keep Glance's order, once each, and direct_url comes last", t => {
  const urls = (change: object) => parseRecord(imageJson(change), imageId).locations.map(({url}) => url);
  const locations = ['rbd://b/1/2/3', 'rbd://a/1/2/3', 'rbd://b/1/2/3'].map(url => ({url, metadata: {store: 'x'}}));
  t.deepEqual(urls({locations, direct_url: 'rbd://a/1/2/3'}), ['rbd://b/1/2/3', 'rbd://a/1/2/3']);
  t.deepEqual(urls({locations, direct_url: 'rbd://c/1/2/3'}), ['rbd://b/1/2/3', 'rbd://a/1/2/3', 'rbd://c/1/2/3']);
  t.deepEqual(urls({locations: undefined}), [imageUrl]);
  t.deepEqual(urls({locations: undefined, direct_url: undefined}), []);
  t.deepEqual(urls({locations: null, direct_url: null}), []);
});

test('the metadata of a location is kept, and may be missing', t => {
  const list = [
    {url: 'rbd://a/b/c/d', metadata: {store: 'cell1'}, validation_data: {}},
    {url: 'file:///x'},
    {url: 'y', metadata: null},
  ];
  t.deepEqual(parseLocations(list, imageId), [
    {url: 'rbd://a/b/c/d', metadata: {store: 'cell1'}},
    {url: 'file:///x', metadata: {}},
    {url: 'y', metadata: {}},
  ]);
});

const wrong: [string, object | string, RegExp][] = [
  ['not an object', 'hello', /\(the whole\): /],
  ['no id', {id: undefined}, /id: /],
  ['no status', {status: undefined}, /status: /],
  ['a size below zero', {size: -1}, /size: /],
  ['a size with a fraction', {size: 1.5}, /size: /],
  ['a size beyond what numbers hold', {size: 2 ** 60}, /size: /],
  ['a size as text', {size: '12'}, /size: /],
  ['a hash that is not hexadecimal', {os_hash_value: 'xyz'}, /os_hash_value: not hexadecimal/],
  ['a location without a url', {locations: [{metadata: {}}]}, /locations\.0\.url: /],
  ['locations that are no list', {locations: {}}, /locations: /],
  ['the record of another image', {id: '11111111-2222-3333-4444-555555555555'}, /with the record of 11111111/],
];

for (const [name, change, message] of wrong) {
  test(`corrupt: ${name}`, t => {
    const body = typeof change === 'string' ? change : imageJson(change);
    const error = t.throws(() => parseRecord(body, imageId), {instanceOf: CellarError, message});
    t.is(error.kind, 'corrupt');
    t.is(error.object, imageId);
  });
}

test('only a UUID is an image id', t => {
  t.is(checkImageId(imageId.toUpperCase()), imageId.toUpperCase());
  for (const id of ['', '..', `${imageId}/file`, ` ${imageId}`, imageId.replaceAll('-', ''), `${imageId}\n`, '?x=1']) {
    t.is(t.throws(() => checkImageId(id), {instanceOf: CellarError}, id).kind, 'usage' satisfies ErrorKind);
  }
});
