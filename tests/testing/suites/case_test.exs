# Those with `fails` in their names fail on purpose.
defmodule CaseTest do
  use Inetpy.Case, network: "net.py", seed: 7, trace: :never

  setup_all do
    # The process of the module goes on.
    {:ok, rule: fault([port: 1], :refuse)}
  end

  setup context do
    if context[:refused], do: fault([host: "db.example"], :refuse)
    :ok
  end

  defp ask do
    {:ok, {:"$inet", _, _} = socket} = :gen_tcp.connect('db.example', 5432, active: false)
    :gen_tcp.recv(socket, 12)
  end

  defp ports, do: for(%{whom: %{port: port}} <- :inetpy_fault.rules(), do: port)

  test "reads" do
    assert ask() == {:ok, 'row 1, row 2'}
    fault([port: 2], :refuse)
    assert Enum.sort(ports()) == [1, 2]
  end

  describe "a fault" do
    test "fails once" do
      rule = fault(%{host: "db.*"}, {:reset, after_bytes: 5}, when: {:nth, 1})
      assert ask() == {:error, :closed}
      assert fired(rule) == 1
      assert ask() == {:ok, 'something else'}
    end

    test "lasts as long as a function" do
      assert ports() == [1]

      assert with_fault([host: "db.example"], [error: [call: :connect, errno: :ehostunreach]], fn ->
               :gen_tcp.connect('db.example', 5432, [])
             end) == {:error, :ehostunreach}

      assert with_fault([host: "db.example"], [{:refuse, when: {:nth, 2}}, :down], fn -> length(ports()) end) == 1
      assert ask() == {:ok, 'row 1, row 2'}
    end

    test "that cannot be is an error" do
      assert_raise ArgumentError, ~r/there is no fault 'latncy'/, fn -> fault([], {:latncy, ms: 1}) end
    end
  end

  @tag :refused
  test "of setup", %{rule: rule} do
    assert fired(rule) == 0
    assert :gen_tcp.connect('db.example', 5432, []) == {:error, :econnrefused}
  end

  @tag timeout: 500
  test "fails by time" do
    fault([host: "db.example"], :blackhole)
    ask()
  end

  test "after it" do
    assert ports() == [1]
    assert ask() == {:ok, 'row 1, row 2'}
  end
end

defmodule StrictCaseTest do
  use Inetpy.Case, network: "strict.py", trace: :never, async: false

  test "fails strictly" do
    assert :gen_tcp.connect('stranger.example', 80, []) == {:error, :nxdomain}
  end
end

defmodule StockTest do
  use ExUnit.Case

  test "a test without Inetpy.Case has stock sockets" do
    assert {:ok, socket} = :gen_tcp.listen(0, [])
    assert is_port(socket)
  end
end

defmodule NoFileTest do
  use Inetpy.Case, network: "no.py"
  test "fails", do: :ok
end
