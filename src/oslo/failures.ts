/** What RabbitMQ, TLS and the network said when a connection failed, as CellarErrors. Nothing of the login is in them. */
import {CellarError, type ErrorKind} from '../core/errors.ts';
import type {Broker} from './brokers.ts';

/** Why there is no connection to this broker. `unavailable` is what may pass by itself; all else needs an operator. */
export function connectFailure(broker: Broker, error: unknown): CellarError {
  if (error instanceof CellarError) return error;
  const {message, code = ''} = plain(error);
  const {kind, said, hint} = judge(message, code, broker);
  return new CellarError(kind, `RabbitMQ at ${broker.name}: ${said}`, hint === undefined ? {} : {hint});
}

/** Why a connection that stood is gone. */
export function lostFailure(broker: Broker, error: unknown): CellarError {
  if (error instanceof CellarError) return error;
  const said = error === undefined ? 'the connection was closed' : withoutNumbers(plain(error).message);
  return new CellarError('unavailable', `RabbitMQ at ${broker.name}: ${said}`);
}

/** The reply code of an AMQP error: 404, 406... */
export const replyCode = (error: unknown): number | undefined => {
  const code = error instanceof Error ? (error as {code?: unknown}).code : undefined;
  return typeof code === 'number' ? code : undefined;
};

type Judgement = {kind: ErrorKind; said: string; hint?: string};

function judge(message: string, code: string, {virtualHost}: Broker): Judgement {
  if (/ACCESS[_-]REFUSED/.test(message) && /Login was refused/.test(message)) {
    return {kind: 'unauthorized', said: 'the user or the password is not accepted', hint: 'check transport_url'};
  }
  // amqplib keeps what the broker said to itself here: the user is known, and the vhost is what was asked for next.
  if (/Expected ConnectionOpenOk; got <ConnectionClose/.test(message)) {
    const said = `there is no vhost ${JSON.stringify(virtualHost)}, or the user may not use it`;
    return {kind: 'config', said, hint: 'check transport_url, and `rabbitmqctl list_permissions -p VHOST`'};
  }
  if (/ACCESS[_-]REFUSED/.test(message)) {
    return {kind: 'forbidden', said: withoutNumbers(message), hint: 'check `rabbitmqctl list_permissions -p VHOST`'};
  }
  if (/SASL mechanism/.test(message)) {
    return {kind: 'config', said: message, hint: 'check [oslo_messaging_rabbit] rabbit_login_method'};
  }
  if (/EPROTO|ERR_SSL_WRONG_VERSION|ERR_SSL_PACKET/.test(code)) {
    return {kind: 'config', said: 'it does not speak TLS', hint: 'check [oslo_messaging_rabbit] ssl, and the port'};
  }
  if (tlsCodes.test(code)) {
    const [what = ''] = message.split('; if the root CA');
    const hint = 'check [oslo_messaging_rabbit] ssl_ca_file and ssl_enforce_hostname_verification';
    return {kind: 'config', said: `TLS: ${what}`, hint};
  }
  if (/Socket closed abruptly|Invalid frame|exceeds maxFrameSize|Unknown frame type/.test(message)) {
    return {kind: 'unavailable', said: 'it ended the connection at once', hint: 'is it a port for TLS?'};
  }
  return {kind: 'unavailable', said: withoutNumbers(message) || code || 'it failed'};
}

const tlsCodes = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA)/;

function plain(error: unknown): {message: string; code?: string} {
  if (!(error instanceof Error)) return {message: String(error)};
  const code = (error as {code?: unknown}).code;
  const message = error.message || (error instanceof AggregateError ? error.errors.map(attempt).join(', ') : '');
  return {message, ...(typeof code === 'string' ? {code} : {})};
}

const attempt = (error: unknown) => (error as Error).message;

/** amqplib's wording around what the broker said: `Connection closed: 320 (CONNECTION-FORCED) with message "..."`. */
function withoutNumbers(message: string): string {
  return /with message "(.*)"/s.exec(message)?.[1] ?? message;
}
