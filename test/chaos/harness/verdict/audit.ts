import { query } from "../servers.ts";

/**
 * Watches every write from inside the database, so that a broken rule is seen when it breaks and not only where it
 * still shows at the end. `chaos_violation` holds what was seen.
 */
const AUDIT = `
create table chaos_violation (at timestamptz not null default now(), rule text not null, detail text not null);
create table chaos_result (stage_job_id bigint primary key, output jsonb);
-- Each wait, with the transaction that stored it, and how it ended: done, failed, cancelled, or ready where its time was over.
create table chaos_wait (stage_job_id bigint not null, epoch integer not null, token text not null,
  stored_by xid8 not null default pg_current_xact_id(), ended_as text, ended_at timestamptz, ended_by text,
  primary key (stage_job_id, epoch));
create index on chaos_wait (token);
-- Each round of answers that was stored: what it could see before it resolved them, and a moment after it had.
create table chaos_round (stage_job_id bigint primary key, seen pg_snapshot not null, resolved_at timestamptz);
-- Runs that a job had before it was made as new.
create table chaos_renewed (stage_job_id bigint not null, calls integer not null);
-- Requests that callers asked to end early.
create table chaos_cancel (request_id text primary key);

create function chaos_end_wait(old stage_job, new stage_job) returns void language plpgsql as $$
declare wait chaos_wait;
begin
  update chaos_wait w set ended_as = new.state, ended_at = clock_timestamp(), ended_by = current_setting('application_name')
    where w.stage_job_id = old.id and w.epoch = old.epoch and w.ended_as is null returning * into wait;
  if wait.token is null then
    insert into chaos_violation (rule, detail) values ('I3', format('a wait of job %s ended twice', old.id));
  elsif new.state = 'done' and new.output ->> 'token' is distinct from wait.token then
    insert into chaos_violation (rule, detail) values ('I5', format('job %s got the answer to another question', old.id));
  end if;
end $$;

create function chaos_note_wait() returns trigger language plpgsql as $$
begin
  insert into chaos_wait (stage_job_id, epoch, token) values (new.stage_job_id, new.epoch, new.token) on conflict do nothing;
  return null;
end $$;

create function chaos_end_round() returns trigger language plpgsql as $$
begin
  update chaos_round set resolved_at = clock_timestamp() where stage_job_id = new.id and resolved_at is null;
  return null;
end $$;

create function chaos_watch_job() returns trigger language plpgsql as $$
begin
  if new.epoch < old.epoch then
    insert into chaos_violation (rule, detail) values ('I5', format('the epoch of job %s fell', new.id));
  end if;
  if old.state = 'waiting' and new.state <> 'waiting' then
    perform chaos_end_wait(old, new);
  end if;
  if old.finished_at is not null and new.state = 'ready' then
    insert into chaos_renewed (stage_job_id, calls) values (old.id, 1 + old.attempts + old.crashes);
  end if;
  if new.state = 'done' and old.state is distinct from 'done' then
    if old.state not in ('running', 'waiting') then
      insert into chaos_violation (rule, detail) values ('I5', format('job %s was finished while nobody ran it', new.id));
    end if;
    if new.stage = 'collect' then
      insert into chaos_round (stage_job_id, seen) values (new.id, pg_current_snapshot()) on conflict do nothing;
    end if;
    if new.output ->> 'worker' is distinct from new.worker_id then
      insert into chaos_violation (rule, detail) values ('I5', format('job %s was finished by one who did not hold it', new.id));
    end if;
    insert into chaos_result (stage_job_id, output) values (new.id, new.output) on conflict do nothing;
    if exists (select from chaos_result r where r.stage_job_id = new.id and r.output is distinct from new.output) then
      insert into chaos_violation (rule, detail) values ('I3', format('the result of job %s changed', new.id));
    end if;
  elsif old.state = 'done' and new.output is distinct from old.output then
    insert into chaos_violation (rule, detail) values ('I3', format('the result of job %s changed', new.id));
  end if;
  return null;
end $$;

create function chaos_watch_request() returns trigger language plpgsql as $$
begin
  if old.state <> 'open' and (new.state, new.error_code, new.finished_at) is distinct from (old.state, old.error_code, old.finished_at) then
    insert into chaos_violation (rule, detail) values ('I2', format('request %s ended twice', new.id));
  end if;
  return null;
end $$;

with txn as (insert into credit_txn (tenant, kind) values ('local', 'grant') returning id), entries as (
  insert into credit_entry (txn_id, account, amount)
  select id, account, amount from txn, (values ('available', 1000000), ('funding', -1000000)) as e (account, amount))
insert into tenant (id, available) values ('local', 1000000);

create trigger chaos_watch after update on stage_job for each row execute function chaos_watch_job();
create trigger chaos_note after insert on stage_wait for each row execute function chaos_note_wait();
-- At the commit: what the settlement resolves, it has resolved by then.
create constraint trigger chaos_round after update on stage_job deferrable initially deferred for each row
  when (new.stage = 'collect' and new.state = 'done' and old.state <> 'done') execute function chaos_end_round();
create trigger chaos_watch after update on request for each row execute function chaos_watch_request();
`;

export async function installAudit(databaseUrl: string): Promise<void> {
  await query(databaseUrl, AUDIT);
}
