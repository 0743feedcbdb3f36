import { query } from "./servers.ts";

/**
 * Watches every write from inside the database, so that a broken rule is seen when it breaks and not only where it
 * still shows at the end. `chaos_violation` holds what was seen.
 */
const AUDIT = `
create table chaos_violation (at timestamptz not null default now(), rule text not null, detail text not null);
create table chaos_result (stage_job_id bigint primary key, output jsonb);

create function chaos_watch_job() returns trigger language plpgsql as $$
begin
  if new.epoch < old.epoch then
    insert into chaos_violation (rule, detail) values ('I5', format('the epoch of job %s fell', new.id));
  end if;
  if new.state = 'done' and old.state is distinct from 'done' then
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
create trigger chaos_watch after update on request for each row execute function chaos_watch_request();
`;

export async function installAudit(databaseUrl: string): Promise<void> {
  await query(databaseUrl, AUDIT);
}
