defmodule Inetpy.Case do
  @moduledoc """
  ExUnit tests on the network of Python.

      defmodule MyTest do
        use Inetpy.Case, network: "net.py", seed: 7

        test "a reset in the middle of a row" do
          rule = fault([host: "db.example"], {:reset, after_bytes: 5})
          assert {:error, _} = MyDB.query("db.example")
          assert fired(rule) == 1
        end
      end

  `use Inetpy.Case` is `use ExUnit.Case`, and takes its options too. While the tests of the module run, the sockets of the
  node are Python's, and the network of the file is there. Rules that a test adds go at its end. A test that fails prints the
  seed, the faults that fired, and where its trace is. A test fails also when a strict network has refused something in
  it, or when a server in memory has raised an error.

    * `network:` a file with servers, names and rules, beside the test or in the current folder.
    * `seed:` where the random numbers of faults begin.
    * `trace:` `:never`, `:on_failure` or `:always`: whether a trace of a test is kept, in `_build/inetpy`. Otherwise
      `:on_failure`.
  """

  defmodule NetworkError do
    @moduledoc "What a strict network refused, and servers that raised, in a test that would have passed."
    defexception [:message]
  end

  @ours [:network, :seed, :trace]
  @theirs [:async, :register, :group, :parameterize]

  @doc false
  defmacro __using__(options) do
    {ours, theirs} = Keyword.split(options, @ours)

    for {name, _} <- theirs, name not in @theirs do
      raise ArgumentError,
            "there is no option #{inspect(name)}: Inetpy.Case has #{Enum.map_join(@ours, ", ", &inspect/1)} " <>
              "and those of ExUnit.Case"
    end

    quote do
      use ExUnit.Case, unquote(theirs)
      import Inetpy.Case, only: [fault: 2, fault: 3, with_fault: 3, fired: 1]
      @before_compile Inetpy.Case

      setup_all do: on_exit(Inetpy.Case.__begin__(__MODULE__, unquote(ours), __DIR__))
      setup context, do: on_exit(Inetpy.Case.__begin_test__(context))
    end
  end

  # The functions of tests are ended by ours: a callback of ExUnit is not told whether the test has failed.
  @doc false
  defmacro __before_compile__(env) do
    for %{name: name} <- Module.get_attribute(env.module, :ex_unit_tests) do
      quote do
        defoverridable [{unquote(name), 1}]
        def unquote(name)(context), do: Inetpy.Case.__run__(context, fn -> super(context) end)
      end
    end
  end

  @doc """
  Adds a rule, until the end of the test, as `:inetpy_fault.add/3` does.

      fault([host: "db.*"], {:latency, ms: 200})
      fault([port: 5432], {:error, call: :connect, errno: :ehostunreach}, when: {:nth, 2})

  Raises `ArgumentError` for a rule that cannot be.
  """
  def fault(whom, what, condition \\ []) do
    case :inetpy_fault.add(Map.new(whom), word(what), Map.new(condition)) do
      {:ok, rule} -> rule
      {:error, {:bad_rule, why}} -> raise ArgumentError, to_string(why)
      {:error, reason} -> raise "no rule can be added: #{inspect(reason)}"
    end
  end

  @doc """
  Rules while a function runs, as `:inetpy_fault.with/3` has them. Gives what the function gives.

      with_fault([port: 5432], [latency: [ms: 200]], fn -> MyDB.query() end)

  An element of the list is what happens, or a tuple of that and of when it happens. Raises as `fault/3` does.
  """
  def with_fault(_, [], fun), do: fun.()

  def with_fault(whom, [first | others], fun) do
    {what, condition} = what_and_when(first)
    rule = fault(whom, what, condition)

    try do
      with_fault(whom, others, fun)
    after
      :inetpy_fault.remove(rule)
    end
  end

  @doc "How often a rule has fired."
  def fired(rule), do: :inetpy_fault.fired(rule)

  defp what_and_when({{_, _} = what, condition}), do: {what, condition}
  defp what_and_when({word, [{key, _} | _] = condition}) when key in [:when, :for_ms], do: {word, condition}
  defp what_and_when(what), do: {what, []}

  defp word({word, arguments}), do: {word, Map.new(arguments)}
  defp word(word), do: word

  # --- what `use` calls. The first two give what is to be called at the end.

  @doc false
  def __begin__(module, options, folder) do
    with {:ok, run} <- :inetpy_tests.open(options, self()),
         :ok <- :inetpy_tests.enter(run, module, [folder, File.cwd!()]) do
      fn ->
        :inetpy_tests.leave(module)
        :inetpy_tests.close(run)
      end
    else
      {:error, why} -> raise ArgumentError, "Inetpy.Case: #{why}"
    end
  end

  # The test has ended before, unless it was killed, or its setup has failed.
  @doc false
  def __begin_test__(context) do
    name = name(context)
    :ok = :inetpy_tests.begin_test(name, trace(context))
    fn -> failed(name) end
  end

  @doc false
  def __run__(context, test) do
    result = test.()

    case :inetpy_tests.end_test(name(context), :passed) do
      %{failures: [_ | _] = failures} = report ->
        show(report)
        raise NetworkError, Enum.join(failures, "\n")

      _ ->
        result
    end
  catch
    kind, reason ->
      stack = __STACKTRACE__
      failed(name(context))
      :erlang.raise(kind, reason, stack)
  end

  defp name(%{module: module, test: test}), do: {module, test}

  defp failed(name) do
    with %{} = report <- :inetpy_tests.end_test(name, :failed), do: show(report)
  end

  defp show(report), do: IO.puts(["\n", :inetpy_tests.text(report)])

  defp trace(%{module: module, test: test}) do
    file = String.replace("#{inspect(module)} #{test}", ~r/[^\w.]+/u, "-")
    Path.join([File.cwd!(), "_build", "inetpy", file])
  end
end
