{{/* Every alert: what, when, how bad, in words, and its page of the runbook. What waits is told by its hold's name, so the
three alerts about holds cover all of docs/reference/holds.md between them (tests/chart checks that none is missing).
tests/chart/alerts tries each of them with promtool. */}}
{{- define "memgraph-ha.alerts" -}}
- alert: MemgraphHaNoLeader
  expr: sum(memgraph_controller_is_leader{ {{- .from -}} }) == 0 or absent(memgraph_controller_is_leader{ {{- .from -}} })
  for: 30s
  severity: critical
  summary: no controller leads
  description: Nobody relays writes, and nobody would fail over.
  page: not-leading.md
- alert: MemgraphHaTwoLeaders
  expr: sum(memgraph_controller_is_leader{ {{- .from -}} }) > 1
  for: 1m
  severity: critical
  summary: more than one controller says that it leads
  description: One of them must have a clock that stands still. Its permit has lapsed, but look at once.
  page: unclean-lease.md
- alert: MemgraphHaControllerMissing
  expr: (sum(up{ {{- .from -}} }) or vector(0)) < {{ .controllers }}
  for: 5m
  severity: warning
  summary: fewer controllers than there should be
  description: "{{ "{{ $value }}" }} of {{ .controllers }} controllers answer. If the leader is lost too, writes are shut."
  page: not-leading.md
- alert: MemgraphHaWritesShut
  expr: memgraph_ha_rw_open{ {{- .from -}} } == 0 {{ .leads }}
  for: 1m
  severity: critical
  summary: writes are shut
  description: The leader relays no writes. What it waits for has a name and a page.
  page: looking.md
- alert: MemgraphHaUnprotected
  expr: memgraph_ha_unprotected{ {{- .from -}} } == 1 {{ .leads }}
  for: 2m
  severity: warning
  summary: MAIN has the only certain copy
  description: No standby is proven. What is written meanwhile is lost if MAIN's volume is.
  page: unprotected.md
- alert: MemgraphHaWaitsForHuman
  expr: memgraph_ha_hold_active{ {{- .from -}},hold=~"AmbiguousBootstrap|DataSetReplaced|Flapping|MainLostData|NoSafeCandidate|NotWritable|RecordForeign|RecordInvalid|RecordRegressed|RecordSchema|TriggersNotRestored|UsersNotRestored"} == 1 {{ .leads }}
  for: 1m
  severity: critical
  summary: writes wait for a human ({{ .hold }})
  description: This does not end by itself, or not soon.
  page: {{ .page | quote }}
- alert: MemgraphHaNeedsRepair
  expr: memgraph_ha_hold_active{ {{- .from -}},hold=~"AnalyticalMode|DivergedReplica|ForeignRow|InitFileMissing|RebuildNeeded|ReplicaMissing|StaleRow|TriggersMissing|Unauthorised|Unsupported"} == 1 {{ .leads }}
  for: 15m
  severity: warning
  summary: something is wrong that does not stop writes ({{ .hold }})
  description: It has been so for a quarter of an hour, so it does not mend itself.
  page: {{ .page | quote }}
- alert: MemgraphHaStuck
  expr: memgraph_ha_hold_active{ {{- .from -}},hold=~"BackingOff|CatchingUp|LeaseEnding|Looking|Rebuilding|RecordUnknown|SwitchingOver|Tilt|UncleanLease|WaitingForStandby"} == 1 {{ .leads }}
  for: 10m
  severity: warning
  summary: something takes far longer than it should ({{ .hold }})
  description: It should have ended by itself by now.
  page: {{ .page | quote }}
- alert: MemgraphHaPaused
  expr: memgraph_ha_paused{ {{- .from -}} } == 1 {{ .leads }}
  for: 1h
  severity: warning
  summary: paused for an hour
  description: Nobody takes over while it lasts. Was it forgotten?
  page: paused.md
- alert: MemgraphHaFailsOverRepeatedly
  expr: sum(max by (kind) (increase(memgraph_ha_reigns_total{ {{- .from -}},kind=~"failover|fallback|forced|repromote"}[1h]))) > 2
  for: 0m
  severity: warning
  summary: MAIN was lost three times within an hour
  description: Find what kills it, before the limit (policy failover_limit) holds the next failover.
  page: flapping.md
- alert: MemgraphHaInstanceUnhealthy
  expr: memgraph_ha_instance_healthy{ {{- .from -}} } == 0 {{ .leads }}
  for: 5m
  severity: warning
  summary: an instance is not healthy ({{ "{{ $labels.instance }}" }})
  description: It does not answer, or MAIN's row to it takes no commits.
  page: replica-missing.md
- alert: MemgraphHaReplicaBehind
  expr: memgraph_ha_replica_lag{ {{- .from -}} } > 1000 {{ .leads }}
  for: 10m
  severity: warning
  summary: a replica stays behind ({{ "{{ $labels.instance }}" }})
  description: "It is {{ "{{ $value }}" }} of Memgraph's timestamps behind MAIN; new readers are not led to it (policy read_max_behind)."
  page: replica-missing.md
- alert: MemgraphHaLoopSlow
  expr: memgraph_ha_loop_age_seconds{ {{- .from -}} } > 2
  for: 1m
  severity: warning
  summary: a controller's loop stands still ({{ "{{ $labels.pod }}" }})
  description: It is starved of CPU, or its machine is.
  page: tilt.md
- alert: MemgraphHaClientsRefused
  expr: sum by (gateway, reason) (increase(memgraph_ha_gateway_refused_total{ {{- .from -}},reason=~"limit|rate|hold_full"}[5m])) > 0
  for: 5m
  severity: warning
  summary: clients are refused by a limit ({{ "{{ $labels.reason }}" }})
  description: "{{ "{{ $labels.gateway }}" }}: see gateway.maxConnections, gateway.rateLimit and policy hold_max_connections."
  page: looking.md
{{- end -}}
