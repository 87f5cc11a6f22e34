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

rem The version that current names, else the one that came last of those that can be started and did not fail.
:find_version
set "version="
if exist current for /f "usebackq delims=" %%V in ("current") do if not defined version set "version=%%V"
call :check version
if defined version exit /b 0
if exist failed for /f "usebackq delims=" %%F in ("failed") do set "failed_%%F=1"
for /f "delims=" %%V in ('dir /b /ad /o:d versions 2^>nul') do if defined failed_%%V call :candidate "%%V"
for /f "delims=" %%V in ('dir /b /ad /o:d versions 2^>nul') do if not defined failed_%%V call :candidate "%%V"
exit /b 0

:candidate
set "candidate=%~1"
call :check candidate
if defined candidate set "version=%candidate%"
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
