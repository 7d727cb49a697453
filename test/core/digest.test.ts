import {createHash} from 'node:crypto';
import test from 'ava';
import {Digests} from '../../src/core/digest.ts';
import {CellarError} from '../../src/core/errors.ts';
import type {ImageRecord} from '../../src/core/image.ts';
import {imageId, record} from './facts.ts';

const data = Buffer.from('the bytes of an image');
const hash = (algo: string, of = data) => createHash(algo).update(of).digest('hex');

function finish(changes: Partial<ImageRecord>) {
  const image = record({checksum: undefined, osHashAlgo: undefined, osHashValue: undefined, ...changes});
  const digests = new Digests(image);
  digests.update(data.subarray(0, 3));
  digests.update(data.subarray(3));
  return {...digests.finish(image), received: digests.received};
}

test("Glance's own hash is verified, and sha512 computed beside it", t => {
  const {digests, verified, received} = finish({
    osHashAlgo: 'sha256',
    osHashValue: hash('sha256'),
    checksum: 'not looked at',
  });
  t.deepEqual(digests, {sha512: hash('sha512'), sha256: hash('sha256')});
  t.true(verified);
  t.is(received, data.length);
});

test('with an algorithm nobody knows, the md5 checksum is verified instead', t => {
  t.true(finish({osHashAlgo: 'no-such', osHashValue: 'x', checksum: hash('md5')}).verified);
  t.throws(() => finish({osHashAlgo: 'no-such', osHashValue: 'x', checksum: hash('md5', Buffer.from('y'))}));
});

test('with an algorithm without a value, the md5 checksum is verified', t => {
  t.deepEqual(finish({osHashAlgo: 'sha512', checksum: hash('md5')}).digests, {
    sha512: hash('sha512'),
    md5: hash('md5'),
  });
});

test('without any hash the bytes are taken, and said to be unverified', t => {
  t.deepEqual(finish({}), {digests: {sha512: hash('sha512')}, verified: false, received: data.length});
});

test('other bytes are refused, with both hashes told', t => {
  const error = t.throws(() => finish({osHashAlgo: 'sha512', osHashValue: 'abc'}), {instanceOf: CellarError});
  t.is(error.kind, 'corrupt');
  t.is(error.object, imageId);
  t.is(
    error.message,
    `Glance sent other bytes than image ${imageId}: their sha512 is ${hash('sha512')}, the record says abc`,
  );
});
