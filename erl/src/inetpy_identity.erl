%% Identifiers of this node that Python has written under a former name of the node.
%%
%% On the wire, pids, ports and references have the name of their node, and its creation.
%% net_kernel:start/2 and stop/0 change both. For a while Python writes the old name, and an identifier with
%% the old name, read from the wire, is another node's. So the bridge keeps the former names until Python has
%% confirmed each change, and local/2 gives identifiers with a former name the present one.
-module(inetpy_identity).

-export([new/0, renamed/2, confirmed/1, local/2]).
-export_type([former/0]).

%% The former names, and how many changes Python has not confirmed.
-record(former, {
    names = [] :: [node()],
    unconfirmed = 0 :: non_neg_integer()
}).
-opaque former() :: #former{}.

-spec new() -> former().
new() -> #former{}.

%% The node had another name until now.
-spec renamed(node(), former()) -> former().
renamed(Before, #former{names = Names, unconfirmed = Unconfirmed}) ->
    #former{names = lists:usort([Before | Names]) -- [node()], unconfirmed = Unconfirmed + 1}.

%% Python has confirmed one change.
-spec confirmed(former()) -> former().
confirmed(#former{unconfirmed = 1}) -> #former{};
confirmed(#former{unconfirmed = Unconfirmed} = Former) -> Former#former{unconfirmed = Unconfirmed - 1}.

%% A term from Python, with the present name in its identifiers. Lists are searched only while their elements
%% are tuples or pids: so data in a list costs nothing.
-spec local(term(), former()) -> term().
local(Term, #former{names = []}) -> Term;
local(Term, #former{names = Names}) -> rewrite(Term, Names).

rewrite(Id, Names) when is_pid(Id); is_reference(Id); is_port(Id) ->
    case lists:member(node(Id), Names) of
        true -> with_present_name(Id);
        false -> Id
    end;
rewrite(Tuple, Names) when is_tuple(Tuple) ->
    list_to_tuple([rewrite(Element, Names) || Element <- tuple_to_list(Tuple)]);
rewrite([Head | Tail], Names) when is_tuple(Head); is_pid(Head) ->
    [rewrite(Head, Names) | rewrite(Tail, Names)];
rewrite(Other, _) ->
    Other.

%% The same identifier, with the name and the creation that self() has.
with_present_name(Id) ->
    {_, Name, _, Creation, _} = split(term_to_binary(self())),
    {Head, _, Middle, _, Tail} = split(term_to_binary(Id)),
    binary_to_term(<<131, Head/binary, Name/binary, Middle/binary, Creation/binary, Tail/binary>>).

%% An identifier in the external term format: {before the name, name, between, creation, behind}.
split(<<131, 90, Count:2/binary, Rest/binary>>) ->
    %% NEWER_REFERENCE_EXT: the creation stands before the numbers
    {Name, <<Creation:4/binary, Numbers/binary>>} = split_name(Rest),
    {<<90, Count/binary>>, Name, <<>>, Creation, Numbers};
split(<<131, Tag, Rest/binary>>) ->
    %% NEW_PID_EXT, NEW_PORT_EXT, V4_PORT_EXT: the creation is last
    {Name, NumbersAndCreation} = split_name(Rest),
    Size = byte_size(NumbersAndCreation) - 4,
    <<Numbers:Size/binary, Creation:4/binary>> = NumbersAndCreation,
    {<<Tag>>, Name, Numbers, Creation, <<>>}.

%% ATOM_EXT and ATOM_UTF8_EXT have a size of two bytes, the small ones of one byte.
split_name(<<Tag, Size:16, Text:Size/binary, Rest/binary>>) when Tag =:= 100; Tag =:= 118 ->
    {<<Tag, Size:16, Text/binary>>, Rest};
split_name(<<Tag, Size, Text:Size/binary, Rest/binary>>) when Tag =:= 115; Tag =:= 119 ->
    {<<Tag, Size, Text/binary>>, Rest}.
