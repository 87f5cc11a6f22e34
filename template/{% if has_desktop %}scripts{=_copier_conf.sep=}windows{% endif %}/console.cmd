@echo off
rem Starts the app in a console, with all its options.
rem It chooses the version, and goes back from one that does not prove itself, as start-hidden.vbs does.
rem
rem   this.cmd            start the app; where it runs already: open its page
rem   this.cmd --stop     end the app that runs
rem   this.cmd --help     all options of the app
setlocal EnableExtensions DisableDelayedExpansion
cd /d "%~dp0" || exit /b 1
set "judged="
set "asks="

:arguments
if "%~1"=="" goto again
for %%A in (-h --help --version --stop) do if "%~1"=="%%A" set "asks=1"
shift
goto arguments

:again
call :find_version
if not defined version goto nothing
set "python=versions\%version%\python\python.exe"
if defined asks goto plain
if "%version%"=="%judged%" goto plain
call :read_trial
if not exist trial goto plain
if not "%trial%"=="%version%" goto not_ours
rem One launcher at a time judges a trial. Another one that comes meanwhile only starts the app.
if not exist logs mkdir logs
set "locked="
call :judge %* 9>>logs\launcher.lock
if not defined locked goto plain
if "%version%"=="%judged%" goto again
goto ended

:not_ours
del trial
goto plain

:judge
set "locked=1"
if defined started goto go_back
>>trial echo started
rem With the interpreter of the version before, which ends one that hangs: see start.py.
if defined previous set "python=versions\%previous%\python\python.exe"
rem One line: this file may be another one by the time the app ends.
"%python%" -B "versions\%version%\start.py" %* & call set "code=%%errorlevel%%" & call :look
exit /b 0

:look
call :read_trial
if "%trial%"=="%version%" goto go_back
exit /b 0

:go_back
set "judged=%version%"
>>failed echo %version%
if not exist "versions\%previous%\python\python.exe" set "previous=%version%"
>.current.new echo %previous%
move /y .current.new current >nul
del trial
echo Version %version% did not prove itself; going back to %previous%. 1>&2
exit /b 0

:plain
"%python%" -B "versions\%version%\start.py" %* & call set "code=%%errorlevel%%" & goto ended

:ended
if "%code%"=="75" goto again
exit /b %code%

:nothing
echo No version in "%cd%\versions" can be started. Install it again. 1>&2
exit /b 1

rem The version that current names, else the newest that can be started; one that failed only where there is no other.
:find_version
set "version="
if exist current for /f "usebackq delims=" %%V in ("current") do if not defined version set "version=%%V"
call :check version
if defined version exit /b 0
if exist failed for /f "usebackq delims=" %%F in ("failed") do set "failed_%%F=1"
set "best="
for /f "delims=" %%V in ('dir /b /ad versions 2^>nul') do call :candidate "%%V"
exit /b 0

:candidate
set "candidate=%~1"
call :check candidate
if not defined candidate exit /b 0
call :sort_key
if not "x%key%" gtr "x%best%" exit /b 0
set "best=%key%"
set "version=%candidate%"
exit /b 0

rem A text that sorts as versions do: those that failed first, numbers by their value, 1.0rc1 and 1.0.dev1 before 1.0.
rem Only of letters and digits, for cmd sorts other signs as it likes.
:sort_key
setlocal EnableDelayedExpansion
set "key=1"
if defined failed_!candidate! set "key=0"
set "text=!candidate!$"
set "digits="
for /l %%I in (0,1,80) do (
  set "char=!text:~%%I,1!"
  set "sign=!char!"
  for %%D in (0 1 2 3 4 5 6 7 8 9) do if "!char!"=="%%D" set "sign="
  if not defined sign (
    set "digits=!digits!!char!"
  ) else (
    if defined digits (
      for %%L in (a b r) do if /i "!char!"=="%%L" set "sign=0!char!"
      set "digits=0000000000!digits!"
      set "key=!key!!digits:~-10!"
      set "digits="
    )
    if "!char!"=="$" set "sign=1"
    if "!char!"=="+" set "sign=2"
    if "!char!"=="-" set "sign=3"
    if "!char!"=="_" set "sign=3"
    if "!char!"=="." set "sign=4"
    if /i "!text:~%%I,4!"==".dev" set "sign=00"
    set "key=!key!!sign!"
  )
)
endlocal & set "key=%key%"
exit /b 0

rem The lines of trial: the version, the one before, and anything that says it was started.
:read_trial
set "trial="
set "previous="
set "started="
if exist trial for /f "usebackq delims=" %%L in ("trial") do call :line "%%L"
call :check trial
call :check previous
exit /b 0

:line
if not defined trial (set "trial=%~1") else if not defined previous (set "previous=%~1") else set "started=1"
exit /b 0

rem Empties the variable named by the argument unless it names a version that can be started.
:check
setlocal EnableDelayedExpansion
set "value=!%1!"
if defined value for /f "delims=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+_-" %%X in ("0!value!") do set "value="
if "!value:~0,1!"=="." set "value="
if defined value if not exist "versions\!value!\python\python.exe" set "value="
endlocal & set "%1=%value%"
exit /b 0
