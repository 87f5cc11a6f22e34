; The installer for Windows, compiled on Linux or Windows by scripts/windows_installer.py.
;
; It installs for one user, asks for no administrator, and puts each version into a folder of its own:
; versions\1.4.0. The file "current" names the one that is started, so that files in use never stand in the way.
; A new version is on trial (the file "trial") until it has answered; the launcher goes back where it does not.
;
;   setup.exe [/S] [/NOSTARTMENU] [/NODESKTOP] [/AUTOSTART] [/NOSTART] [/D=FOLDER]
;   uninstall.exe [/S] [/REMOVEDATA]
;
;   /S             asks nothing; what is wrong goes to the standard error output, and the exit code is not 0.
;                  After an update it starts the app (not with /NOSTART), after a first installation it does not
;   /D=FOLDER      must be last and without quotes, even where there are spaces in it
;   /NOSTARTMENU, /NODESKTOP, /AUTOSTART   which shortcuts a first installation makes; an update keeps what is there
;   /REMOVEDATA    also removes data\ and logs\, which otherwise stay
;
; An installation of this app in one version, app\ and python\ beside data\, as guides for installers have it, is taken over
; in its own folder: its programs, shortcuts and its entry in Windows' list go once the new version is there; all else stays.
;
; Beside this file: languages.nsh, the texts. In the folder where makensis runs: product.nsh, names and paths (APP_NAME
; APP_NAME_IN_DIALOGS APP_FILE_NAME SLUG PACKAGE VERSION VERSION_FOLDER VERSION_QUAD PUBLISHER URL OUTPUT SIZE_KB ICON [LICENSE_FILE] [SIGN_COMMAND]),
; and files.nsh, what is packed. ASCII with CRLF line ends.

Target amd64-unicode
SetCompressor /SOLID /FINAL lzma
SetCompressorDictSize 64

!include product.nsh
!include files.nsh
!include MUI2.nsh
!include FileFunc.nsh
!include LogicLib.nsh
!include Sections.nsh
!include TextFunc.nsh
!include Win\COM.nsh

Name "${APP_NAME}" "${APP_NAME_IN_DIALOGS}"
OutFile "${OUTPUT}"
InstallDir "$LOCALAPPDATA\Programs\${SLUG}"
!define PROGRAMS_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall"
!define REGISTRY_KEY "${PROGRAMS_KEY}\${SLUG}"
InstallDirRegKey HKCU "${REGISTRY_KEY}" "InstallLocation"
RequestExecutionLevel user
ManifestDPIAware true
ManifestSupportedOS all
AllowSkipFiles off
BrandingText "${APP_NAME_IN_DIALOGS} ${VERSION}"
ShowInstDetails nevershow
ShowUninstDetails nevershow

!define LINK "${APP_FILE_NAME}.lnk"
!define LAUNCHER "$INSTDIR\start-hidden.vbs"

!ifdef SIGN_COMMAND
  !uninstfinalize '${SIGN_COMMAND} "%1"' = 0
!endif

Var problem  ; what is wrong with the folder; empty: nothing
Var update   ; 1: there is an installation already
Var old      ; 1: and it is one with app\ and python\ where this has versions\, see below
Var current  ; the version that is there; empty: none that could be started
Var previous ; the version to go back to; empty: none
Var folder   ; the new version's folder
Var running  ; a version that runs; empty: none
Var switched ; 1: the new version is the current one
Var searched ; the folder that the components were chosen for

; Pages

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_ABORTWARNING
!define MUI_COMPONENTSPAGE_NODESC
!define MUI_FINISHPAGE_RUN ""
!define MUI_FINISHPAGE_RUN_TEXT "$(START_APP)"
!define MUI_FINISHPAGE_RUN_FUNCTION StartAndWait

!insertmacro MUI_PAGE_WELCOME
!ifdef LICENSE_FILE
  !insertmacro MUI_PAGE_LICENSE "${LICENSE_FILE}"
!endif
!define MUI_PAGE_CUSTOMFUNCTION_LEAVE LeaveFolderPage
!insertmacro MUI_PAGE_DIRECTORY
!define MUI_PAGE_CUSTOMFUNCTION_LEAVE LeaveComponentsPage
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH

!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_COMPONENTS
!insertmacro MUI_UNPAGE_INSTFILES

!include "${__FILEDIR__}\languages.nsh"

VIProductVersion "${VERSION_QUAD}"
VIAddVersionKey /LANG=0 "ProductName" "${APP_NAME}"
VIAddVersionKey /LANG=0 "ProductVersion" "${VERSION}"
VIAddVersionKey /LANG=0 "FileVersion" "${VERSION}"
VIAddVersionKey /LANG=0 "FileDescription" "${APP_NAME} ${VERSION}"
VIAddVersionKey /LANG=0 "CompanyName" "${PUBLISHER}"
VIAddVersionKey /LANG=0 "LegalCopyright" "${PUBLISHER}"

; Small helpers

; Ends the installation if the step before failed.
!macro Check
  ${If} ${Errors}
    !insertmacro Fail "$(NOT_WRITTEN)"
  ${EndIf}
!macroend

; At each moment TO is whole: the old one or the new one.
!macro Replace FROM TO
  System::Call 'kernel32::MoveFileEx(t "${FROM}", t "${TO}", i 9) i.r0' ; replace existing, write through
  ${If} $0 = 0
    SetErrors
  ${EndIf}
  !insertmacro Check
!macroend

!macro MoveAside NAME
  RMDir /r "$INSTDIR\.${NAME}.old"
  Rename "$INSTDIR\${NAME}" "$INSTDIR\.${NAME}.old"
!macroend

!macro ReplaceText TEXT NAME
  ClearErrors
  FileOpen $1 "$INSTDIR\.${NAME}.new" w
  FileWrite $1 "${TEXT}$\n"
  FileClose $1
  !insertmacro Check
  !insertmacro Replace "$INSTDIR\.${NAME}.new" "$INSTDIR\${NAME}"
!macroend

; Ends with a message and an exit code that is not 0.
!macro Fail TEXT
  Push "${TEXT}"
  !ifdef __UNINSTALL__
    Call un.Fail
  !else
    Call Fail
  !endif
!macroend

!macro Functions UN
  Function ${UN}Fail
    Pop $R0
    !if "${UN}" == ""
      Call CleanUp
    !endif
    DetailPrint "$R0"
    ${If} ${Silent}
      System::Call 'kernel32::GetStdHandle(i -12) p.R1'
      ${If} $R1 P<= 0
        System::Call 'kernel32::AttachConsole(i -1)'
        System::Call 'kernel32::GetStdHandle(i -12) p.R1'
      ${EndIf}
      ${If} $R1 P> 0
        FileWrite $R1 "$R0$\r$\n"
      ${EndIf}
    ${Else}
      MessageBox MB_OK|MB_ICONSTOP "$R0"
    ${EndIf}
    SetErrorLevel 2
    Abort "$R0"
  FunctionEnd

  ; Windows writes to no program that runs: so it is found by its exact path, whatever else is called python.exe.
  Function ${UN}FindRunning
    StrCpy $running ""
    FindFirst $R0 $R1 "$INSTDIR\versions\*"
    ${DoWhile} $R1 != ""
      StrCpy $R2 "$INSTDIR\versions\$R1\python\python.exe"
      ${If} ${FileExists} "$R2"
        ClearErrors
        FileOpen $R3 "$R2" a
        ${If} ${Errors}
          StrCpy $running $R1
        ${Else}
          FileClose $R3
        ${EndIf}
      ${EndIf}
      FindNext $R0 $R1
    ${Loop}
    FindClose $R0
    ClearErrors
  FunctionEnd

  ; Ends the programs that are somewhere below the folder $R4, which ends with a backslash.
  Function ${UN}KillPrograms
    System::Call 'kernel32::SetEnvironmentVariable(t "PROGRAMS", t R4)'
    StrCpy $R4 "Get-CimInstance Win32_Process"
    StrCpy $R4 "$R4 | Where-Object { $$_.ExecutablePath -and $$_.ExecutablePath.StartsWith($$env:PROGRAMS, 'OrdinalIgnoreCase') }"
    StrCpy $R4 "$R4 | ForEach-Object { Stop-Process -Force -Id $$_.ProcessId }"
    nsExec::Exec /TIMEOUT=30000 '"$SYSDIR\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -NonInteractive -Command "$R4"'
    Pop $R4
  FunctionEnd

  ; Stops all versions that run. Afterwards $running is empty, or names one that could not be stopped.
  Function ${UN}StopRunning
    ; A launcher goes back to another version when one ends that is on trial.
    Delete "$INSTDIR\trial"
    ; First as the app itself does it: it ends what it has begun.
    ${For} $R5 1 3
      Call ${UN}FindRunning
      ${If} $running != ""
        StrCpy $R4 "$INSTDIR\versions\$running"
        nsExec::Exec /TIMEOUT=30000 '"$R4\python\python.exe" -B "$R4\start.py" --stop'
        Pop $R4
        Sleep 250
      ${EndIf}
    ${Next}
    Call ${UN}FindRunning
    ${If} $running != ""
      StrCpy $R4 "$INSTDIR\versions\"
      Call ${UN}KillPrograms
      ${For} $R5 1 20
        Call ${UN}FindRunning
        ${If} $running == ""
          ${Break}
        ${EndIf}
        Sleep 250
      ${Next}
    ${EndIf}
  FunctionEnd
!macroend

!insertmacro Functions ""
!insertmacro Functions "un."

; Before the installation

Function LeaveFolderPage
  Call CheckFolder
  ${If} $problem != ""
    MessageBox MB_OK|MB_ICONEXCLAMATION "$problem"
    Abort
  ${EndIf}
  Call FindInstallation
FunctionEnd

Function LeaveComponentsPage
  ${If} $old = 1
    Call FindOldRunning
    ${If} $running != ""
      MessageBox MB_OKCANCEL|MB_ICONQUESTION "$(APP_WILL_BE_STOPPED)" IDOK stop_old
      Abort
      stop_old:
      Call StopOld
      ${If} $running != ""
        MessageBox MB_OK|MB_ICONSTOP "$(APP_NOT_STOPPED)"
        Abort
      ${EndIf}
    ${EndIf}
  ${EndIf}
  Call ReadVersions
  Call FindRunning
  ${If} $running != ""
    MessageBox MB_YESNOCANCEL|MB_ICONQUESTION "$(APP_RUNS)" /SD IDYES IDYES stop IDNO go_on
    Abort
    stop:
    Call StopRunning
    ; What could not be stopped goes on beside the new version, as after a "no".
    go_on:
  ${EndIf}
FunctionEnd

; The folder must be ours to write to, and hold this app or nothing of anybody else's.
Function CheckFolder
  StrCpy $problem ""
  ${If} ${FileExists} "$INSTDIR"
  ${AndIfNot} ${FileExists} "$INSTDIR\*.*"
    StrCpy $problem "$(FOLDER_NOT_OURS)" ; a file
    Return
  ${EndIf}
  ${IfNot} ${FileExists} "$INSTDIR\*.*"
    Return
  ${EndIf}
  Call FindOld
  ${If} $old = 1
    ; What else is there is the app's or the user's own.
  ${ElseIfNot} ${FileExists} "$INSTDIR\${SLUG}.cmd"
  ${OrIfNot} ${FileExists} "$INSTDIR\versions\*.*"
    FindFirst $R0 $R1 "$INSTDIR\*"
    ${DoWhile} $R1 != ""
      ; What an uninstallation leaves, and an installation that was broken off.
      ${Select} $R1
        ${Case5} "." ".." "data" "logs" "versions"
        ${Case5} "start-hidden.vbs" "icon.ico" "icon.png" "uninstall.exe" "${SLUG}.cmd"
        ${Case5} "current" ".current.new" "trial" ".trial.new" "failed"
        ${Case} ".versions.old"
        ${CaseElse}
          StrCpy $problem "$(FOLDER_NOT_OURS)"
      ${EndSelect}
      FindNext $R0 $R1
    ${Loop}
    FindClose $R0
    ${If} $problem != ""
      Return
    ${EndIf}
  ${EndIf}
  ClearErrors
  FileOpen $R0 "$INSTDIR\.current.new" w
  ${If} ${Errors}
    StrCpy $problem "$(FOLDER_READ_ONLY)"
    ClearErrors
  ${Else}
    FileClose $R0
    Delete "$INSTDIR\.current.new"
  ${EndIf}
FunctionEnd

; $current, and $previous: that, unless it is on trial itself; then the one before it.
Function ReadVersions
  StrCpy $previous ""
  StrCpy $R0 "$INSTDIR\current"
  Call ReadVersion
  StrCpy $current $R1
  StrCpy $previous $R1
  ${If} $current != ""
  ${AndIf} ${FileExists} "$INSTDIR\trial"
    StrCpy $R0 "$INSTDIR\trial"
    Call ReadVersion
    ${If} $R1 == $current
    ${AndIf} $R2 != ""
      StrCpy $previous $R2
    ${EndIf}
  ${EndIf}
FunctionEnd

; Reads from the file $R0 the first line ($R1) and the second ($R2), each only if it names a version that is there.
Function ReadVersion
  StrCpy $R1 ""
  StrCpy $R2 ""
  ClearErrors
  FileOpen $R3 "$R0" r
  ${IfNot} ${Errors}
    FileRead $R3 $R1
    FileRead $R3 $R2
    FileClose $R3
    ${TrimNewLines} $R1 $R1
    ${TrimNewLines} $R2 $R2
    ${IfNot} ${FileExists} "$INSTDIR\versions\$R1\python\python.exe"
      StrCpy $R1 ""
    ${EndIf}
    ${IfNot} ${FileExists} "$INSTDIR\versions\$R2\python\python.exe"
      StrCpy $R2 ""
    ${EndIf}
  ${EndIf}
  ClearErrors
FunctionEnd

; The installation

Section "!$(CORE)" SECTION_CORE
  SectionIn RO
  ${If} ${Silent}
    Call CheckFolder
    ${If} $problem != ""
      !insertmacro Fail "$problem"
    ${EndIf}
    ${If} $old = 1
      Call StopOld
      ${If} $running != ""
        !insertmacro Fail "$(APP_NOT_STOPPED)" ; two would use the same data
      ${EndIf}
    ${EndIf}
    Call ReadVersions
    Call FindRunning
    ${If} $running != ""
      Call StopRunning
    ${EndIf}
  ${EndIf}

  ClearErrors
  CreateDirectory "$INSTDIR\versions"
  ${If} ${Errors}
    !insertmacro Fail "$(FOLDER_READ_ONLY)"
  ${EndIf}
  StrCpy $folder "${VERSION_FOLDER}"
  StrCpy $0 1
  ${While} ${FileExists} "$INSTDIR\versions\$folder\*.*"
    IntOp $0 $0 + 1
    StrCpy $folder "${VERSION_FOLDER}.r$0"
  ${EndWhile}
  RMDir /r "$INSTDIR\.versions.old" ; an uninstallation that was broken off
  RMDir /r "$INSTDIR\versions\.$folder.partial"
  RMDir /r "$INSTDIR\versions\.root.partial"
  ClearErrors
  !insertmacro PACK_VERSION "$INSTDIR\versions\.$folder.partial"
  !insertmacro PACK_ROOT "$INSTDIR\versions\.root.partial"
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\versions\.root.partial\uninstall.exe"
  !insertmacro Check
  ${For} $0 1 40
    ClearErrors
    Rename "$INSTDIR\versions\.$folder.partial" "$INSTDIR\versions\$folder"
    ${If} ${FileExists} "$INSTDIR\versions\$folder\*.*"
      ${Break}
    ${EndIf}
    Sleep 250 ; a virus scanner looks at what is new
  ${Next}
  !insertmacro Check
  Call ReplaceRoot
  ${If} $previous != ""
    !insertmacro ReplaceText "$folder$\n$previous" "trial"
  ${Else}
    Delete "$INSTDIR\trial"
  ${EndIf}
  !insertmacro ReplaceText "$folder" "current"
  StrCpy $switched 1

  WriteRegStr HKCU "${REGISTRY_KEY}" "DisplayName" "${APP_NAME}"
  WriteRegStr HKCU "${REGISTRY_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${REGISTRY_KEY}" "DisplayIcon" "$INSTDIR\icon.ico"
  WriteRegStr HKCU "${REGISTRY_KEY}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${REGISTRY_KEY}" "URLInfoAbout" "${URL}"
  WriteRegStr HKCU "${REGISTRY_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${REGISTRY_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${REGISTRY_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${REGISTRY_KEY}" "EstimatedSize" "${SIZE_KB}"
  WriteRegDWORD HKCU "${REGISTRY_KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${REGISTRY_KEY}" "NoRepair" 1

  Call Prune
SectionEnd

Function .onInstFailed
  Call CleanUp
FunctionEnd

; Where the installation broke off, nothing stays that could be taken for whole.
Function CleanUp
  ${If} $switched != 1
  ${AndIf} $folder != ""
    SetOutPath "$TEMP" ; a folder that somebody is in cannot be removed
    RMDir /r "$INSTDIR\versions\.$folder.partial"
    RMDir /r "$INSTDIR\versions\$folder"
    RMDir /r "$INSTDIR\versions\.root.partial"
    Delete "$INSTDIR\.*.new"
    ${If} $update = 0
      !insertmacro REMOVE_ROOT "$INSTDIR"
      Delete "$INSTDIR\uninstall.exe"
    ${EndIf}
    RMDir "$INSTDIR\versions" ; only where they are empty
    RMDir "$INSTDIR"
  ${EndIf}
FunctionEnd

; Moves the files beside versions\ to their place, each at once: one that is open or half written starts nothing.
Function ReplaceRoot
  FindFirst $R0 $R1 "$INSTDIR\versions\.root.partial\*"
  ${DoWhile} $R1 != ""
    ${If} $R1 != "."
    ${AndIf} $R1 != ".."
      !insertmacro Replace "$INSTDIR\versions\.root.partial\$R1" "$INSTDIR\$R1"
    ${EndIf}
    FindNext $R0 $R1
  ${Loop}
  FindClose $R0
  ClearErrors
  RMDir "$INSTDIR\versions\.root.partial"
FunctionEnd

; Removes all versions but the new and the previous one, and what an update that was broken off has left.
Function Prune
  FindFirst $R0 $R1 "$INSTDIR\versions\*"
  ${DoWhile} $R1 != ""
    ${Select} $R1
      ${Case4} "." ".." $folder $previous
      ${CaseElse}
        Call RemoveVersion
    ${EndSelect}
    FindNext $R0 $R1
  ${Loop}
  FindClose $R0
  ClearErrors
FunctionEnd

; Removes the folder $R1 below versions\ unless it is in use. It gets another name first: half a version is none.
Function RemoveVersion
  ClearErrors
  ${If} ${FileExists} "$INSTDIR\versions\$R1\python\python.exe"
    FileOpen $R2 "$INSTDIR\versions\$R1\python\python.exe" a
    ${If} ${Errors}
      Return
    ${EndIf}
    FileClose $R2
  ${EndIf}
  StrCpy $R2 $R1 1
  ${If} $R2 != "."
    Rename "$INSTDIR\versions\$R1" "$INSTDIR\versions\.$R1.old"
    ${IfNot} ${Errors}
      RMDir /r "$INSTDIR\versions\.$R1.old"
    ${EndIf}
  ${Else}
    RMDir /r "$INSTDIR\versions\$R1"
  ${EndIf}
FunctionEnd

; wscript starts in the folder that the shortcut names. The icon stays where it is in every version.
!macro Shortcut FILE ARGUMENTS
  SetOutPath "$INSTDIR"
  CreateShortcut "${FILE}" "$SYSDIR\wscript.exe" '"${LAUNCHER}"${ARGUMENTS}' "$INSTDIR\icon.ico" 0
!macroend

Section "$(START_MENU)" SECTION_START_MENU
  !insertmacro Shortcut "$SMPROGRAMS\${LINK}" " --open"
SectionEnd

Section "$(DESKTOP)" SECTION_DESKTOP
  !insertmacro Shortcut "$DESKTOP\${LINK}" " --open"
SectionEnd

Section /o "$(AUTOSTART)" SECTION_AUTOSTART
  !insertmacro Shortcut "$SMSTARTUP\${LINK}" ""
SectionEnd

Section
  ${IfNot} ${SectionIsSelected} ${SECTION_START_MENU}
    Delete "$SMPROGRAMS\${LINK}"
  ${EndIf}
  ${IfNot} ${SectionIsSelected} ${SECTION_DESKTOP}
    Delete "$DESKTOP\${LINK}"
  ${EndIf}
  ${IfNot} ${SectionIsSelected} ${SECTION_AUTOSTART}
    Delete "$SMSTARTUP\${LINK}"
  ${EndIf}
  Call RemoveOld
  SetErrorLevel 0
  ${If} ${Silent}
  ${AndIf} $update = 1
    ${GetParameters} $R0
    ClearErrors
    ${GetOptions} $R0 "/NOSTART" $R1
    ${If} ${Errors}
      Call FindRunning
      ${If} $running == ""
        Exec '"$SYSDIR\wscript.exe" "${LAUNCHER}"'
      ${EndIf}
    ${EndIf}
  ${EndIf}
SectionEnd

; The app opens its page itself as soon as it answers; until it does, this window stays.
Function StartAndWait
  Exec '"$SYSDIR\wscript.exe" "${LAUNCHER}" --open'
  ${For} $0 1 60
    ${If} ${FileExists} "$INSTDIR\data\instance.json"
      ${Break}
    ${EndIf}
    Sleep 250
  ${Next}
FunctionEnd

; An installation that is there already

Function .onInit
  ${If} $INSTDIR == "$LOCALAPPDATA\Programs\${SLUG}" ; nobody has chosen a folder
  ${AndIfNot} ${FileExists} "$INSTDIR\*.*"
    Call ProposeOld
  ${EndIf}
  Call FindInstallation
FunctionEnd

!macro ChooseAsOld FOLDER SECTION
  StrCpy $R5 "${FOLDER}"
  StrCpy $R9 0
  Call FindOldShortcuts
  ${If} $R7 > 0
  ${OrIf} ${FileExists} "${FOLDER}\${LINK}"
    !insertmacro SelectSection ${SECTION}
  ${Else}
    !insertmacro UnselectSection ${SECTION}
  ${EndIf}
!macroend

; Looks for an installation in the folder, and chooses the components: an update keeps the shortcuts that are there.
Function FindInstallation
  StrCpy $R0 $INSTDIR "" -1
  ${If} $R0 == "\" ; NSIS adds it to what it reads from the registry, and people type it
    StrCpy $INSTDIR $INSTDIR -1
  ${EndIf}
  ${If} $searched == $INSTDIR
    Return ; what was chosen since then stays
  ${EndIf}
  StrCpy $searched $INSTDIR
  StrCpy $update 0
  Call FindOld
  ${If} $old = 1
    StrCpy $update 1
    !insertmacro SelectSection ${SECTION_START_MENU}
    !insertmacro ChooseAsOld "$DESKTOP" ${SECTION_DESKTOP}
    !insertmacro ChooseAsOld "$SMSTARTUP" ${SECTION_AUTOSTART}
  ${ElseIf} ${FileExists} "$INSTDIR\${SLUG}.cmd"
  ${AndIf} ${FileExists} "$INSTDIR\versions\*.*"
    StrCpy $update 1
    !insertmacro UnselectSection ${SECTION_START_MENU}
    !insertmacro UnselectSection ${SECTION_DESKTOP}
    !insertmacro UnselectSection ${SECTION_AUTOSTART}
    ${If} ${FileExists} "$SMPROGRAMS\${LINK}"
      !insertmacro SelectSection ${SECTION_START_MENU}
    ${EndIf}
    ${If} ${FileExists} "$DESKTOP\${LINK}"
      !insertmacro SelectSection ${SECTION_DESKTOP}
    ${EndIf}
    ${If} ${FileExists} "$SMSTARTUP\${LINK}"
      !insertmacro SelectSection ${SECTION_AUTOSTART}
    ${EndIf}
  ${Else}
    !insertmacro SelectSection ${SECTION_START_MENU}
    !insertmacro SelectSection ${SECTION_DESKTOP}
    !insertmacro UnselectSection ${SECTION_AUTOSTART}
    ${GetParameters} $R0
    ClearErrors
    ${GetOptions} $R0 "/NOSTARTMENU" $R1
    ${IfNot} ${Errors}
      !insertmacro UnselectSection ${SECTION_START_MENU}
    ${EndIf}
    ClearErrors
    ${GetOptions} $R0 "/NODESKTOP" $R1
    ${IfNot} ${Errors}
      !insertmacro UnselectSection ${SECTION_DESKTOP}
    ${EndIf}
    ClearErrors
    ${GetOptions} $R0 "/AUTOSTART" $R1
    ${IfNot} ${Errors}
      !insertmacro SelectSection ${SECTION_AUTOSTART}
    ${EndIf}
    ClearErrors
  ${EndIf}
FunctionEnd

; An installation of before versions\: app\ and python\ beside data\, started by scripts\start-hidden.vbs

Function FindOld
  StrCpy $R8 $INSTDIR
  Call IsOld
  StrCpy $old $R9
FunctionEnd

; Whether that is what the folder $R8 holds ($R9: 1), of this app and no other.
Function IsOld
  StrCpy $R9 0
  ${If} ${FileExists} "$R8\app\src\${PACKAGE}\*.*"
  ${OrIf} ${FileExists} "$R8\app\${PACKAGE}\*.*"
    ${If} ${FileExists} "$R8\python\python.exe"
    ${OrIf} ${FileExists} "$R8\.python.old\python.exe" ; it was being removed
      StrCpy $R9 1
    ${EndIf}
  ${EndIf}
FunctionEnd

; Windows' list of programs knows its folder, by a name that is not known here.
Function ProposeOld
  StrCpy $R0 0
  ${Do}
    EnumRegKey $R1 HKCU "${PROGRAMS_KEY}" $R0
    ${If} $R1 == ""
      ${Break}
    ${EndIf}
    Call ReadFolder
    Call IsOld
    ${If} $R9 = 1
      StrCpy $INSTDIR $R8
      ${Break}
    ${EndIf}
    IntOp $R0 $R0 + 1
  ${Loop}
FunctionEnd

; The folder ($R8) of the uninstaller that the entry $R1 of the list names.
Function ReadFolder
  ReadRegStr $R8 HKCU "${PROGRAMS_KEY}\$R1" "UninstallString"
  StrCpy $R7 $R8 1
  ${If} $R7 == '"'
    StrCpy $R8 $R8 -1 1
  ${EndIf}
  ${GetParent} $R8 $R8
  ClearErrors
FunctionEnd

Function FindOldRunning
  StrCpy $running ""
  ${If} ${FileExists} "$INSTDIR\python\python.exe"
    ClearErrors
    FileOpen $R3 "$INSTDIR\python\python.exe" a
    ${If} ${Errors}
      StrCpy $running "python"
    ${Else}
      FileClose $R3
    ${EndIf}
    ClearErrors
  ${EndIf}
FunctionEnd

; Nobody can ask it to stop. Where it updates itself it has started this installer and is about to end.
Function StopOld
  StrCpy $R6 0
  ${For} $R5 1 60
    Call FindOldRunning
    ${If} $running == ""
      ${Break}
    ${EndIf}
    ${If} $R5 = 40
    ${OrIfNot} ${Silent}
      ${If} $R6 = 0
        StrCpy $R6 1
        StrCpy $R4 "$INSTDIR\python\"
        Call KillPrograms
      ${EndIf}
    ${EndIf}
    Sleep 250
  ${Next}
FunctionEnd

; Counts ($R7) the shortcuts in the folder $R5 that lead to it; where $R9 is 1, they are deleted.
Function FindOldShortcuts
  StrCpy $R7 0
  FindFirst $R0 $R1 "$R5\*.lnk"
  ${DoWhile} $R1 != ""
    StrCpy $R2 ""
    StrCpy $R3 ""
    !insertmacro ComHlpr_CreateInProcInstance ${CLSID_ShellLink} ${IID_IShellLink} r0 ""
    ${If} $0 P<> 0
      ${IUnknown::QueryInterface} $0 '("${IID_IPersistFile}",.r1)'
      ${If} $1 P<> 0
        ${IPersistFile::Load} $1 '("$R5\$R1",0)'
        ${IUnknown::Release} $1 ""
        ${IShellLink::GetPath} $0 '(.R2,1024,0,0)'
        ${IShellLink::GetArguments} $0 '(.R3,1024)'
      ${EndIf}
      ${IUnknown::Release} $0 ""
    ${EndIf}
    StrLen $R4 "$INSTDIR\"
    StrCpy $R2 $R2 $R4
    StrLen $R4 '"$INSTDIR\scripts\'
    StrCpy $R3 $R3 $R4
    ${If} $R2 == "$INSTDIR\"
    ${OrIf} $R3 == '"$INSTDIR\scripts\'
      IntOp $R7 $R7 + 1
      ${If} $R9 = 1
        Delete "$R5\$R1"
      ${EndIf}
    ${EndIf}
    FindNext $R0 $R1
  ${Loop}
  FindClose $R0
  ClearErrors
FunctionEnd

; Removes its programs, its shortcuts and its entries in the list; nothing else in the folder is touched. All get other names
; before any is removed, last app\: as long as that is there, another run goes on with it.
Function RemoveOld
  SetOutPath "$TEMP" ; a folder that somebody is in cannot be removed
  ${If} $old = 1
    StrCpy $R9 1
    StrCpy $R5 $DESKTOP
    Call FindOldShortcuts
    StrCpy $R5 $SMSTARTUP
    Call FindOldShortcuts
    StrCpy $R5 $SMPROGRAMS
    Call FindOldShortcuts
    FindFirst $R6 $R8 "$SMPROGRAMS\*"
    ${DoWhile} $R8 != ""
      ${If} $R8 != "."
      ${AndIf} $R8 != ".."
        StrCpy $R5 "$SMPROGRAMS\$R8"
        Call FindOldShortcuts
        ${If} $R7 > 0
          RMDir $R5 ; only where it is empty
        ${EndIf}
      ${EndIf}
      FindNext $R6 $R8
    ${Loop}
    FindClose $R6

    StrCpy $R0 0
    ${Do}
      EnumRegKey $R1 HKCU "${PROGRAMS_KEY}" $R0
      ${If} $R1 == ""
        ${Break}
      ${EndIf}
      IntOp $R0 $R0 + 1
      ${If} $R1 != "${SLUG}"
        Call ReadFolder
        ${If} $R8 == $INSTDIR
          ClearErrors
          DeleteRegKey HKCU "${PROGRAMS_KEY}\$R1"
          ${IfNot} ${Errors}
            IntOp $R0 $R0 - 1 ; the next one has this number now
          ${EndIf}
        ${EndIf}
      ${EndIf}
    ${Loop}

    Delete "$INSTDIR\VERSION"
    Delete "$INSTDIR\config.example.yaml"
    !insertmacro MoveAside "scripts"
    !insertmacro MoveAside "python"
    !insertmacro MoveAside "app"
  ${EndIf}
  RMDir /r "$INSTDIR\.scripts.old"
  RMDir /r "$INSTDIR\.python.old"
  RMDir /r "$INSTDIR\.app.old"
  ClearErrors
FunctionEnd

; The uninstaller

Section "un.$(CORE)" SECTION_UNINSTALL
  SectionIn RO
  Call un.FindRunning
  ${If} $running != ""
    MessageBox MB_OKCANCEL|MB_ICONQUESTION "$(APP_WILL_BE_STOPPED)" /SD IDOK IDOK stop
    SetErrorLevel 1
    Quit
    stop:
    Call un.StopRunning
    ${If} $running != ""
      !insertmacro Fail "$(APP_NOT_STOPPED)"
    ${EndIf}
  ${EndIf}

  SetOutPath "$TEMP" ; a folder that somebody is in cannot be removed
  ; With another name at once: half of it is not to be started.
  ${If} ${FileExists} "$INSTDIR\versions\*.*"
    ${For} $0 1 40
      ClearErrors
      Rename "$INSTDIR\versions" "$INSTDIR\.versions.old"
      ${IfNot} ${Errors}
        ${Break}
      ${EndIf}
      Sleep 250
    ${Next}
    ${If} ${Errors}
      !insertmacro Fail "$(APP_NOT_STOPPED)"
    ${EndIf}
  ${EndIf}
  RMDir /r "$INSTDIR\.versions.old"
  Delete "$INSTDIR\current"
  Delete "$INSTDIR\trial"
  Delete "$INSTDIR\failed"
  Delete "$INSTDIR\.*.new"

  ; Another installation of the same app may have these by now.
  ReadRegStr $0 HKCU "${REGISTRY_KEY}" "InstallLocation"
  ${If} $0 == $INSTDIR
    Delete "$SMPROGRAMS\${LINK}"
    Delete "$DESKTOP\${LINK}"
    Delete "$SMSTARTUP\${LINK}"
    DeleteRegKey HKCU "${REGISTRY_KEY}"
  ${EndIf}
SectionEnd

Section /o "un.$(DATA)" SECTION_DATA
  RMDir /r "$INSTDIR\data"
  RMDir /r "$INSTDIR\logs"
SectionEnd

Section "un."
  !insertmacro REMOVE_ROOT "$INSTDIR"
  Delete "$INSTDIR\uninstall.exe"
  ${For} $0 1 20
    RMDir "$INSTDIR" ; only where it is empty
    ${IfNot} ${FileExists} "$INSTDIR\*.*"
    ${OrIf} ${FileExists} "$INSTDIR\data\*.*"
    ${OrIf} ${FileExists} "$INSTDIR\logs\*.*"
      ${Break}
    ${EndIf}
    Sleep 250 ; the launcher is about to end, and the folder is its own
  ${Next}
SectionEnd

Function un.onInit
  ${IfNot} ${FileExists} "$INSTDIR\${SLUG}.cmd"
    !insertmacro Fail "$(NOT_INSTALLED)"
  ${EndIf}
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/REMOVEDATA" $R1
  ${IfNot} ${Errors}
    !insertmacro SelectSection ${SECTION_DATA}
  ${EndIf}
FunctionEnd
