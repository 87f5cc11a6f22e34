; What the installer itself says; all other texts are NSIS's own. Windows' language decides, English stands for all that are not here.
; ASCII, so other letters are written ${U+00E4}. $(^Name) is the app's name, $(^NameDA) the same for what
; takes an & for the mark of a letter, $\n a new line.

!macro Texts LANGUAGE CORE START_MENU DESKTOP AUTOSTART DATA START_APP APP_RUNS APP_WILL_BE_STOPPED APP_NOT_STOPPED FOLDER_NOT_OURS FOLDER_READ_ONLY NOT_WRITTEN NOT_INSTALLED
  !insertmacro MUI_LANGUAGE "${LANGUAGE}"
  !define LANGUAGE_ID "${LANG_${LANGUAGE}}"
  LangString CORE ${LANGUAGE_ID} "${CORE}"
  LangString START_MENU ${LANGUAGE_ID} "${START_MENU}"
  LangString DESKTOP ${LANGUAGE_ID} "${DESKTOP}"
  LangString AUTOSTART ${LANGUAGE_ID} "${AUTOSTART}"
  LangString DATA ${LANGUAGE_ID} "${DATA}"
  LangString START_APP ${LANGUAGE_ID} "${START_APP}"
  LangString APP_RUNS ${LANGUAGE_ID} "${APP_RUNS}"
  LangString APP_WILL_BE_STOPPED ${LANGUAGE_ID} "${APP_WILL_BE_STOPPED}"
  LangString APP_NOT_STOPPED ${LANGUAGE_ID} "${APP_NOT_STOPPED}"
  LangString FOLDER_NOT_OURS ${LANGUAGE_ID} "${FOLDER_NOT_OURS}"
  LangString FOLDER_READ_ONLY ${LANGUAGE_ID} "${FOLDER_READ_ONLY}"
  LangString NOT_WRITTEN ${LANGUAGE_ID} "${NOT_WRITTEN}"
  LangString NOT_INSTALLED ${LANGUAGE_ID} "${NOT_INSTALLED}"
  !undef LANGUAGE_ID
!macroend

!insertmacro Texts English \
  "Program files" \
  "Start menu shortcut" \
  "Desktop shortcut" \
  "Start with Windows" \
  "Data and logs" \
  "Start $(^NameDA)" \
  "$(^Name) is running.$\n$\nYes: stop it and go on$\nNo: go on; the new version starts next time$\nCancel: change nothing" \
  "$(^Name) is running and will be stopped." \
  "$(^Name) could not be stopped. End it and try again." \
  "The folder $INSTDIR holds something else. Choose an empty folder." \
  "The folder $INSTDIR cannot be written to. Choose another one." \
  "Not all files could be written to $INSTDIR. Is the disk full? What was installed before is unchanged." \
  "$(^Name) is not installed in the folder $INSTDIR."

!insertmacro Texts German \
  "Programmdateien" \
  "Verkn${U+00FC}pfung im Startmen${U+00FC}" \
  "Verkn${U+00FC}pfung auf dem Desktop" \
  "Mit Windows starten" \
  "Daten und Protokolle" \
  "$(^NameDA) starten" \
  "$(^Name) l${U+00E4}uft gerade.$\n$\nJa: beenden und fortfahren$\nNein: fortfahren; die neue Version startet beim n${U+00E4}chsten Mal$\nAbbrechen: nichts ${U+00E4}ndern" \
  "$(^Name) l${U+00E4}uft gerade und wird beendet." \
  "$(^Name) lie${U+00DF} sich nicht beenden. Beenden Sie es und versuchen Sie es noch einmal." \
  "Der Ordner $INSTDIR enth${U+00E4}lt etwas anderes. W${U+00E4}hlen Sie einen leeren Ordner." \
  "In den Ordner $INSTDIR kann nicht geschrieben werden. W${U+00E4}hlen Sie einen anderen." \
  "Nicht alle Dateien konnten nach $INSTDIR geschrieben werden. Ist der Datentr${U+00E4}ger voll? Was vorher installiert war, ist unver${U+00E4}ndert." \
  "$(^Name) ist im Ordner $INSTDIR nicht installiert."

!insertmacro Texts French \
  "Fichiers du programme" \
  "Raccourci dans le menu D${U+00E9}marrer" \
  "Raccourci sur le bureau" \
  "D${U+00E9}marrer avec Windows" \
  "Donn${U+00E9}es et journaux" \
  "D${U+00E9}marrer $(^NameDA)" \
  "$(^Name) est en cours d'ex${U+00E9}cution.$\n$\nOui : l'arr${U+00EA}ter et continuer$\nNon : continuer ; la nouvelle version d${U+00E9}marrera la prochaine fois$\nAnnuler : ne rien changer" \
  "$(^Name) est en cours d'ex${U+00E9}cution et va ${U+00EA}tre arr${U+00EA}t${U+00E9}." \
  "$(^Name) n'a pas pu ${U+00EA}tre arr${U+00EA}t${U+00E9}. Fermez-le et r${U+00E9}essayez." \
  "Le dossier $INSTDIR contient autre chose. Choisissez un dossier vide." \
  "Impossible d'${U+00E9}crire dans le dossier $INSTDIR. Choisissez-en un autre." \
  "Tous les fichiers n'ont pas pu ${U+00EA}tre ${U+00E9}crits dans $INSTDIR. Le disque est-il plein ? Ce qui ${U+00E9}tait d${U+00E9}j${U+00E0} install${U+00E9} est inchang${U+00E9}." \
  "$(^Name) n'est pas install${U+00E9} dans le dossier $INSTDIR."

!insertmacro Texts Spanish \
  "Archivos del programa" \
  "Acceso directo en el men${U+00FA} Inicio" \
  "Acceso directo en el escritorio" \
  "Iniciar con Windows" \
  "Datos y registros" \
  "Iniciar $(^NameDA)" \
  "$(^Name) se est${U+00E1} ejecutando.$\n$\nS${U+00ED}: detenerlo y continuar$\nNo: continuar; la nueva versi${U+00F3}n se iniciar${U+00E1} la pr${U+00F3}xima vez$\nCancelar: no cambiar nada" \
  "$(^Name) se est${U+00E1} ejecutando y se detendr${U+00E1}." \
  "No se pudo detener $(^Name). Ci${U+00E9}rrelo e int${U+00E9}ntelo de nuevo." \
  "La carpeta $INSTDIR contiene otra cosa. Elija una carpeta vac${U+00ED}a." \
  "No se puede escribir en la carpeta $INSTDIR. Elija otra." \
  "No se pudieron escribir todos los archivos en $INSTDIR. ${U+00BF}Est${U+00E1} lleno el disco? Lo que ya estaba instalado no ha cambiado." \
  "$(^Name) no est${U+00E1} instalado en la carpeta $INSTDIR."

!insertmacro Texts Italian \
  "File del programma" \
  "Collegamento nel menu Start" \
  "Collegamento sul desktop" \
  "Avvia con Windows" \
  "Dati e registri" \
  "Avvia $(^NameDA)" \
  "$(^Name) ${U+00E8} in esecuzione.$\n$\nS${U+00EC}: arrestarlo e continuare$\nNo: continuare; la nuova versione si avvier${U+00E0} la prossima volta$\nAnnulla: non cambiare nulla" \
  "$(^Name) ${U+00E8} in esecuzione e verr${U+00E0} arrestato." \
  "Non ${U+00E8} stato possibile arrestare $(^Name). Chiuderlo e riprovare." \
  "La cartella $INSTDIR contiene altro. Scegliere una cartella vuota." \
  "Impossibile scrivere nella cartella $INSTDIR. Sceglierne un'altra." \
  "Non ${U+00E8} stato possibile scrivere tutti i file in $INSTDIR. Il disco ${U+00E8} pieno? Ci${U+00F2} che era gi${U+00E0} installato ${U+00E8} invariato." \
  "$(^Name) non ${U+00E8} installato nella cartella $INSTDIR."

!insertmacro Texts PortugueseBR \
  "Arquivos do programa" \
  "Atalho no menu Iniciar" \
  "Atalho na ${U+00E1}rea de trabalho" \
  "Iniciar com o Windows" \
  "Dados e registros" \
  "Iniciar $(^NameDA)" \
  "$(^Name) est${U+00E1} em execu${U+00E7}${U+00E3}o.$\n$\nSim: encerrar e continuar$\nN${U+00E3}o: continuar; a nova vers${U+00E3}o ser${U+00E1} iniciada na pr${U+00F3}xima vez$\nCancelar: n${U+00E3}o alterar nada" \
  "$(^Name) est${U+00E1} em execu${U+00E7}${U+00E3}o e ser${U+00E1} encerrado." \
  "N${U+00E3}o foi poss${U+00ED}vel encerrar $(^Name). Feche-o e tente novamente." \
  "A pasta $INSTDIR cont${U+00E9}m outra coisa. Escolha uma pasta vazia." \
  "N${U+00E3}o ${U+00E9} poss${U+00ED}vel gravar na pasta $INSTDIR. Escolha outra." \
  "Nem todos os arquivos puderam ser gravados em $INSTDIR. O disco est${U+00E1} cheio? O que j${U+00E1} estava instalado n${U+00E3}o mudou." \
  "$(^Name) n${U+00E3}o est${U+00E1} instalado na pasta $INSTDIR."

!insertmacro Texts Dutch \
  "Programmabestanden" \
  "Snelkoppeling in het menu Start" \
  "Snelkoppeling op het bureaublad" \
  "Met Windows starten" \
  "Gegevens en logboeken" \
  "$(^NameDA) starten" \
  "$(^Name) is actief.$\n$\nJa: stoppen en doorgaan$\nNee: doorgaan; de nieuwe versie start de volgende keer$\nAnnuleren: niets wijzigen" \
  "$(^Name) is actief en wordt gestopt." \
  "$(^Name) kon niet worden gestopt. Sluit het af en probeer het opnieuw." \
  "De map $INSTDIR bevat iets anders. Kies een lege map." \
  "Er kan niet naar de map $INSTDIR worden geschreven. Kies een andere." \
  "Niet alle bestanden konden naar $INSTDIR worden geschreven. Is de schijf vol? Wat al ge${U+00EF}nstalleerd was, is ongewijzigd." \
  "$(^Name) is niet ge${U+00EF}nstalleerd in de map $INSTDIR."

!insertmacro Texts Polish \
  "Pliki programu" \
  "Skr${U+00F3}t w menu Start" \
  "Skr${U+00F3}t na pulpicie" \
  "Uruchamiaj z systemem Windows" \
  "Dane i dzienniki" \
  "Uruchom $(^NameDA)" \
  "Program $(^Name) jest uruchomiony.$\n$\nTak: zatrzymaj go i kontynuuj$\nNie: kontynuuj; nowa wersja uruchomi si${U+0119} nast${U+0119}pnym razem$\nAnuluj: nic nie zmieniaj" \
  "Program $(^Name) jest uruchomiony i zostanie zatrzymany." \
  "Nie uda${U+0142}o si${U+0119} zatrzyma${U+0107} programu $(^Name). Zamknij go i spr${U+00F3}buj ponownie." \
  "Folder $INSTDIR zawiera co${U+015B} innego. Wybierz pusty folder." \
  "Nie mo${U+017C}na zapisywa${U+0107} w folderze $INSTDIR. Wybierz inny." \
  "Nie uda${U+0142}o si${U+0119} zapisa${U+0107} wszystkich plik${U+00F3}w w $INSTDIR. Czy dysk jest pe${U+0142}ny? To, co by${U+0142}o zainstalowane, pozosta${U+0142}o bez zmian." \
  "Program $(^Name) nie jest zainstalowany w folderze $INSTDIR."
