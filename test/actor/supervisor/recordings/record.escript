#!/usr/bin/env escript
%%! +S 1:1 -kernel logger_level emergency
%% Records what Erlang's own supervisors do, for otp-recording.test.ts. No test runs this: it is for maintainers.
%%
%%   ERL_LIBS=/usr/lib/elixir/lib escript test/actor/supervisor/recordings/record.escript [NAME ...]
%%
%% Needs Erlang/OTP 24 or later (Debian: erlang-base), and for dynamic-supervisor Elixir's libraries (Debian: elixir).
%% One scheduler, so that ends which follow each other are seen in their order. The trees and the commands come from a
%% seed; what a step says is what had happened when nothing moved any more.
-mode(compile).
-export([init/1, start_worker/1, run_worker/2]).

-define(PERIOD, 1000000).

main([]) -> main(["failing-restarts", "auto-shutdown", "simple-one-for-one", "dynamic-supervisor"]);
main(Names) ->
    process_flag(trap_exit, true),
    ets:new(failing, [named_table, public]),
    register(recorder, spawn_link(fun() -> recorder([]) end)),
    ets:new(numbers, [named_table, public]),
    [record_file(Name) || Name <- Names].

record_file(Name) ->
    rand:seed(exsss, {24, 25, erlang:phash2(Name)}),
    ets:insert(numbers, {next, 0}),
    Recordings = [record(Name) || _ <- lists:seq(1, 30)],
    Folder = filename:dirname(escript:script_name()),
    Text = ["{\"from\":", text(from(Name)), ",\"recordings\":[\n", lists:join(",\n", Recordings), "\n]}\n"],
    ok = file:write_file(filename:join(Folder, Name ++ ".json.txt"), Text),
    io:format("~s: ~p recordings~n", [Name, length(Recordings)]).

from("dynamic-supervisor") ->
    {ok, _} = application:ensure_all_started(elixir),
    io_lib:format("DynamicSupervisor of Elixir ~s below supervisor of Erlang/OTP ~s",
                  ['Elixir.System':version(), erlang:system_info(otp_release)]);
from("simple-one-for-one") -> io_lib:format("supervisor of Erlang/OTP ~s, strategy simple_one_for_one", [otp()]);
from("failing-restarts") -> io_lib:format("supervisor of Erlang/OTP ~s, mostly rest_for_one, restarts that fail", [otp()]);
from("auto-shutdown") -> io_lib:format("supervisor of Erlang/OTP ~s, significant children and auto_shutdown", [otp()]).

otp() -> erlang:system_info(otp_release).

%% Trees

tree("failing-restarts") ->
    Below = [worker() || _ <- lists:seq(1, 2 + int(2))],
    Nested = sup(#{strategy => pick([rest_for_one, rest_for_one, one_for_all]), max => 1 + int(3), children => Below,
                   restart => pick([permanent, temporary])}),
    Beside = [worker() || _ <- lists:seq(1, 2 + int(2))],
    root(#{strategy => pick([rest_for_one, rest_for_one, rest_for_one, one_for_one]), max => 8,
           children => insert(Nested, Beside)});
tree("auto-shutdown") ->
    Auto = pick([never, any_significant, all_significant]),
    Children = [significant(Auto, pick([worker(), worker(), auto_sup(1)])) || _ <- lists:seq(1, 2 + int(3))],
    root(#{strategy => pick([one_for_one, one_for_all, rest_for_one]), max => 5, auto => Auto, children => Children});
tree(Dynamic) ->
    Pools = [pool(Dynamic) || _ <- lists:seq(1, 1 + int(2))],
    root(#{strategy => pick([one_for_one, rest_for_one]), max => 3, children => Pools ++ [worker()]}).

root(Sup) -> sup(Sup#{id => root, restart => permanent}).

sup(Given) ->
    maps:merge(#{kind => supervisor, id => new_id(), strategy => one_for_one, max => 3, auto => never, children => [],
                 restart => permanent, significant => false}, Given).

worker() -> worker(pick([permanent, permanent, transient, temporary])).
worker(Restart) ->
    #{kind => worker, id => new_id(), restart => Restart, significant => false,
      shutdown => pick([time, time, brutal_kill])}.

%% A supervisor that gives up ends with `shutdown`, and elsewhere with an error: a transient one shall never give up.
auto_sup(Depth) ->
    Auto = pick([any_significant, all_significant]),
    Restart = pick([permanent, transient, temporary]),
    Child = fun() -> case Restart of transient -> worker(temporary); _ -> worker(pick([permanent, transient, temporary])) end end,
    Nested = case Restart =/= transient andalso Depth > 0 andalso int(3) =:= 1 of true -> [auto_sup(Depth - 1)]; false -> [] end,
    Children = [significant(Auto, C) || C <- Nested ++ [Child() || _ <- lists:seq(1, 1 + int(3))]],
    sup(#{strategy => pick([one_for_one, one_for_all, rest_for_one]), auto => Auto, restart => Restart, children => Children}).

significant(never, Spec) -> Spec;
significant(_, #{restart := permanent} = Spec) -> Spec;
significant(_, Spec) -> Spec#{significant => int(3) =/= 1}.

pool(Name) ->
    Common = #{id => new_id(), restart => pick([permanent, permanent, temporary]), significant => false, max => 1 + int(3)},
    case Name of
        "simple-one-for-one" -> Common#{kind => simple, child => worker()};
        "dynamic-supervisor" -> Common#{kind => dynamic, max_children => 1 + int(4)}
    end.

insert(Item, List) -> {A, B} = lists:split(int(length(List)), List), A ++ [Item] ++ B.
int(N) -> rand:uniform(N).
pick(List) -> lists:nth(int(length(List)), List).
new_id() -> list_to_atom("c" ++ integer_to_list(ets:update_counter(numbers, next, 1))).

%% A recording

record(Name) ->
    Spec = tree(Name),
    ets:delete_all_objects(failing),
    recorder ! {forget, self()}, receive forgotten -> ok end,
    {ok, Root} = supervisor:start_link({local, root}, ?MODULE, Spec),
    Start = seen(),
    {Steps, _} = steps(Name, 18, Spec, []),
    case whereis(root) of
        undefined -> ok;
        Root -> exit(Root, shutdown)
    end,
    receive {'EXIT', Root, _} -> ok end,
    {Stop, _} = seen(),
    ["{\"root\":", spec(Spec), ",\"start\":", seen_json(Start), ",\"steps\":[", lists:join(",", Steps),
     "],\"stop\":{\"log\":", text(Stop), "}}"].

steps(_, 0, Spec, Done) -> {lists:reverse(Done), Spec};
steps(Name, N, Spec, Done) ->
    case whereis(root) of
        undefined -> {lists:reverse(Done), Spec};
        _ ->
            Command = command(Name, workers(), supervisors(Spec)),
            Result = carry_out(Command),
            Seen = seen(),
            Step = ["{\"command\":", command_json(Command), ",\"result\":", text(Result), ",", fields(Seen), "}"],
            steps(Name, N - 1, Spec, [Step | Done])
    end.

%% Every living worker.
workers() ->
    [Id || {Id} <- lists:sort(ets:tab2list(living)), whereis(Id) =/= undefined].

%% Every living supervisor that the tree began with.
supervisors(Spec) -> [S || #{id := Id} = S <- all_supervisors(Spec), whereis(Id) =/= undefined].
all_supervisors(#{kind := worker}) -> [];
all_supervisors(#{kind := supervisor, children := Children} = S) -> [S | lists:append([all_supervisors(C) || C <- Children])];
all_supervisors(S) -> [S].

command(Name, [], Sups) -> start(Name, pick(Sups));
command("failing-restarts", Workers, Sups) ->
    case int(10) of
        N when N =< 4 -> {fail, pick(Workers), int(3)};
        N when N =< 8 -> {pick([crash, crash, kill, finish]), pick(Workers)};
        9 -> {terminate, pick(Sups), pick(Workers)};
        10 -> {restart, pick(Sups), pick(Workers)}
    end;
command("auto-shutdown" = Name, Workers, Sups) ->
    case int(10) of
        N when N =< 5 -> {finish, pick(Workers)};
        N when N =< 7 -> {pick([crash, kill]), pick(Workers)};
        8 -> {terminate, pick(Sups), pick(Workers)};
        _ -> start(Name, pick(Sups))
    end;
command(Name, Workers, Sups) ->
    Pools = [S || #{kind := Kind} = S <- Sups, Kind =/= supervisor],
    case int(10) of
        N when N =< 4, Pools =/= [] -> start(Name, pick(Pools));
        N when N =< 7 -> {pick([crash, kill, finish]), pick(Workers)};
        8 -> {fail, pick(Workers), int(2)};
        _ when Pools =/= [] -> {terminate, pick(Pools), pick(Workers)};
        _ -> {crash, pick(Workers)}
    end.

start(_, #{kind := simple, child := Child} = Sup) -> {start, Sup, Child#{id => new_id()}};
start("auto-shutdown", #{restart := transient} = Sup) ->
    {start, Sup, (worker(temporary))#{significant => int(2) =:= 1}};
start("auto-shutdown", Sup) -> {start, Sup, (worker())#{significant => int(2) =:= 1}};
start(_, Sup) -> {start, Sup, worker()}.

carry_out({fail, Id, Times}) -> ets:insert(failing, {Id, Times}), "-";
carry_out({kill, Id}) -> exit(whereis(Id), kill), "-";
carry_out({finish, Id}) -> Id ! finish, "-";
carry_out({crash, Id}) -> Id ! crash, "-";
carry_out({start, #{kind := simple, id := Sup}, #{id := Id}}) -> result(supervisor:start_child(Sup, [Id]));
carry_out({start, #{kind := dynamic, id := Sup}, Child}) ->
    result('Elixir.DynamicSupervisor':start_child(Sup, maps:remove(significant, child(Child))));
carry_out({start, #{id := Sup}, Child}) -> result(supervisor:start_child(Sup, child(Child)));
carry_out({terminate, #{kind := simple, id := Sup}, Id}) -> result(supervisor:terminate_child(Sup, whereis(Id)));
carry_out({terminate, #{kind := dynamic, id := Sup}, Id}) ->
    result('Elixir.DynamicSupervisor':terminate_child(Sup, whereis(Id)));
carry_out({terminate, #{id := Sup}, Id}) -> result(supervisor:terminate_child(Sup, Id));
carry_out({restart, #{id := Sup}, Id}) -> result(supervisor:restart_child(Sup, Id)).

result(ok) -> "ok";
result({ok, _}) -> "ok";
result({error, not_found}) -> "not_found";
result({error, running}) -> "already_started";
result({error, restarting}) -> "already_started";
result({error, already_present}) -> "already_started";
result({error, {already_started, _}}) -> "already_started";
result({error, max_children}) -> "unavailable";
result({error, {bad_combination, _}}) -> "invalid_option";
result({error, _}) -> "failed".

%% Supervisors

init(#{kind := simple, max := Max, child := Child}) ->
    Spec = (child(Child))#{start => {?MODULE, start_worker, []}},
    {ok, {#{strategy => simple_one_for_one, intensity => Max, period => ?PERIOD}, [Spec]}};
init(#{strategy := Strategy, max := Max, auto := Auto, children := Children}) ->
    Flags = #{strategy => Strategy, intensity => Max, period => ?PERIOD, auto_shutdown => Auto},
    {ok, {Flags, [child(Child) || Child <- Children]}}.

child(#{kind := worker, id := Id, restart := Restart, shutdown := Shutdown, significant := Significant}) ->
    #{id => Id, start => {?MODULE, start_worker, [Id]}, restart => Restart, significant => Significant,
      shutdown => case Shutdown of time -> 5000; brutal_kill -> brutal_kill end};
child(#{kind := dynamic, id := Id, restart := Restart, max := Max, max_children := MaxChildren}) ->
    Options = [{name, Id}, {strategy, one_for_one}, {max_restarts, Max}, {max_seconds, ?PERIOD}, {max_children, MaxChildren}],
    #{id => Id, start => {'Elixir.DynamicSupervisor', start_link, [Options]}, restart => Restart, type => supervisor};
child(#{id := Id, restart := Restart, significant := Significant} = Spec) ->
    #{id => Id, start => {supervisor, start_link, [{local, Id}, ?MODULE, Spec]}, restart => Restart, type => supervisor,
      significant => Significant}.

%% Workers

start_worker(Id) ->
    case ets:lookup(failing, Id) of
        [{_, Times}] when Times > 0 -> ets:insert(failing, {Id, Times - 1}), {error, does_not_start};
        _ -> proc_lib:start_link(?MODULE, run_worker, [self(), Id])
    end.

run_worker(Parent, Id) ->
    process_flag(trap_exit, true),
    register(Id, self()),
    recorder ! {started, Id, self()},
    receive noted -> ok end,
    proc_lib:init_ack(Parent, {ok, self()}),
    receive
        finish -> exit(normal);
        crash -> exit(crashed);
        {'EXIT', Parent, Reason} -> exit(Reason)
    end.

%% What was seen

recorder([]) -> ets:new(living, [named_table, public]), recorder_loop([]).
recorder_loop(Log) ->
    receive
        {forget, From} -> ets:delete_all_objects(living), From ! forgotten, recorder_loop([]);
        {started, Id, Pid} ->
            erlang:monitor(process, Pid),
            ets:insert(living, {Id}),
            put(Pid, Id),
            Pid ! noted,
            recorder_loop(["+" ++ atom_to_list(Id) | Log]);
        {'DOWN', _, process, Pid, _} -> recorder_loop(["-" ++ atom_to_list(erase(Pid)) | Log]);
        {count, From} -> From ! {count, length(Log)}, recorder_loop(Log);
        {take, From} -> From ! {log, lists:join(" ", lists:reverse(Log))}, recorder_loop([])
    end.

seen() ->
    Tree = settled(moment(), 0),
    recorder ! {take, self()},
    receive {log, Log} -> {Log, Tree} end.

settled({_, Tree}, 5) -> Tree;
settled(Last, Times) ->
    timer:sleep(4),
    case moment() of
        Last -> settled(Last, Times + 1);
        Other -> settled(Other, 0)
    end.

moment() ->
    recorder ! {count, self()},
    Count = receive {count, N} -> N end,
    {Count, try tree_text(root) catch _:_ -> "dead" end}.

tree_text(Id) ->
    case whereis(Id) of
        undefined -> "dead";
        Pid -> ["[", lists:join(",", children_text(Pid)), "]"]
    end.

children_text(Pid) ->
    Children = supervisor:which_children(Pid),
    case [Child || {undefined, _, _, _} = Child <- Children] of
        [] -> [child_text(Child) || Child <- lists:reverse(Children)];
        Nameless -> lists:sort([name_of(Child) || {_, Child, _, _} <- Nameless])
    end.

child_text({Id, restarting, _, _}) -> [atom_to_list(Id), ":restarting"];
child_text({Id, undefined, _, _}) -> [atom_to_list(Id), ":stopped"];
child_text({Id, _, worker, _}) -> atom_to_list(Id);
child_text({Id, Pid, supervisor, _}) -> [atom_to_list(Id), "[", lists:join(",", children_text(Pid)), "]"].

name_of(Pid) when is_pid(Pid) -> {registered_name, Name} = process_info(Pid, registered_name), atom_to_list(Name).

%% JSON

seen_json(Seen) -> ["{", fields(Seen), "}"].
fields({Log, Tree}) -> ["\"log\":", text(Log), ",\"tree\":", text(Tree)].
text(Text) -> ["\"", Text, "\""].
word(Atom) -> text(atom_to_list(Atom)).

command_json({Name, #{id := Sup}, Child}) when is_map(Child) -> ["[", word(Name), ",", word(Sup), ",", spec(Child), "]"];
command_json({Name, #{id := Sup}, Id}) -> ["[", word(Name), ",", word(Sup), ",", word(Id), "]"];
command_json({Name, Id, Times}) -> ["[", word(Name), ",", word(Id), ",", integer_to_list(Times), "]"];
command_json({Name, Id}) -> ["[", word(Name), ",", word(Id), "]"].

spec(#{id := Id, kind := Kind, restart := Restart} = Spec) ->
    More = case Kind of
        worker -> [["\"shutdown\":\"brutal_kill\""] || maps:get(shutdown, Spec) =:= brutal_kill];
        supervisor ->
            [["\"strategy\":", word(maps:get(strategy, Spec))], ["\"maxRestarts\":", integer_to_list(maps:get(max, Spec))]] ++
                [["\"autoShutdown\":", word(maps:get(auto, Spec))] || maps:get(auto, Spec) =/= never] ++
                [["\"children\":[", lists:join(",", [spec(C) || C <- maps:get(children, Spec)]), "]"]];
        _ ->
            ["\"kind\":\"dynamic\"", ["\"maxRestarts\":", integer_to_list(maps:get(max, Spec))]] ++
                [["\"maxChildren\":", integer_to_list(N)] || {max_children, N} <- maps:to_list(Spec)]
    end,
    Significant = ["\"significant\":true" || maps:get(significant, Spec)],
    ["{", lists:join(",", [["\"id\":", word(Id)], ["\"restart\":", word(Restart)]] ++ Significant ++ More), "}"].
