{application, app, [
    {description, "Downloads a page"},
    {vsn, "1"},
    {modules, [app]},
    {registered, []},
    {applications, [kernel, stdlib, inets, inetpy]},
    {mod, {app, []}}
]}.
