defmodule Inetpy.MixProject do
  use Mix.Project

  # The facts are in the file that rebar3 and `make build` read too.
  @source Path.join(__DIR__, "erl/src")
  {:ok, [{:application, :inetpy, facts}]} = :file.consult(Path.join(@source, "inetpy.app.src"))
  @facts facts

  def project do
    [
      app: :inetpy,
      version: to_string(@facts[:vsn]),
      description: to_string(@facts[:description]),
      compilers: [:erlang, :elixir, :app],
      erlc_paths: ["erl/src"],
      erlc_include_path: "erl/src",
      erlc_options: [:debug_info],
      # Inetpy.Case, for ExUnit.
      elixirc_paths: ["elixir"],
      deps: []
    ]
  end

  def application, do: Keyword.take(@facts, [:mod, :registered, :env])
end
